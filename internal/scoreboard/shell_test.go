package scoreboard

import (
	"os/exec"
	"strings"
	"testing"
)

// TestShellLine has bash read the line again: each argument is what it was.
func TestShellLine(t *testing.T) {
	for want, command := range map[string][]string{
		"/srv/web --port=80 a@b":               {"/srv/web", "--port=80", "a@b"},
		"sh -c 'read x; echo $x'":              {"sh", "-c", "read x; echo $x"},
		`sh -c 'echo '\''a b'\'''`:             {"sh", "-c", "echo 'a b'"},
		"web '' '*' '~' '#'":                   {"web", "", "*", "~", "#"},
		"'A=b' A=b":                            {"A=b", "A=b"},
		`python3 -c $'a\n\tb\'\\\033[1m\0017'`: {"python3", "-c", "a\n\tb'\\\x1b[1m\x017"},
		"web 'größe' '\xff'":                   {"web", "größe", "\xff"},
	} {
		got := ShellLine(command)
		if got != want {
			t.Errorf("ShellLine(%q) = %s, want %s", command, got, want)
		}
		out, err := exec.Command("bash", "-c", `printf '%s\0' `+got).Output()
		if err != nil {
			t.Fatal(err)
		}
		if read := strings.Join(command, "\x00") + "\x00"; string(out) != read {
			t.Errorf("bash reads %s as %q, want %q", got, out, read)
		}
	}
}

// TestCommandsAreNotWrapped: a line break between quotes would be another command.
func TestCommandsAreNotWrapped(t *testing.T) {
	command := ShellLine([]string{"/usr/bin/sh", "-c", "echo  two spaces; exec /srv/web/bin/web --with --many --options"})
	story := Story{Cause: "web is broken.", Do: []string{"Run it by hand as nobody:\n" + command}}
	if text := story.Text(40); !strings.Contains(text, "\n    "+command+"\n") {
		t.Errorf("the command cannot be copied:\n%s", text)
	}
}
