package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fact is one thing to know about where the numbers come from.
type fact struct{ name, value string }

// cores is how many processors the machine gives us.
func cores() int { return runtime.NumCPU() }

// machineFacts is all that may explain a number.
func machineFacts(t *tools) []fact {
	return []fact{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"processor", fmt.Sprintf("%s, %d cores", lineOf("/proc/cpuinfo", "model name"), cores())},
		{"memory", lineOf("/proc/meminfo", "MemTotal")},
		{"kernel", kernel()},
		{"system", strings.Trim(lineOf("/etc/os-release", "PRETTY_NAME"), `"`)},
		{"load before the end", strings.Join(firstFields(textOf("/proc/loadavg"), 3), " ")},
		{"brood", revision() + ", " + runtime.Version() + fmt.Sprintf(", %d kB", fileSize(t.ours)/1000)},
		{"Postfix", fmt.Sprintf("%s, master %d kB", output("postconf", "-dh", "mail_version"), fileSize(t.stock)/1000)},
		{"s6", packageVersion("s6")},
		{"systemd", packageVersion("systemd")},
		{"gcc", output("gcc", "-dumpfullversion")},
	}
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// revision is the commit that is measured.
func revision() string {
	if text := output("git", "describe", "--tags", "--always", "--dirty"); text != "?" {
		return text
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "?"
}

func packageVersion(name string) string {
	return output("dpkg-query", "-W", "-f", "${Version}", name)
}

// output is what a program prints, or a question mark.
func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if text := strings.TrimSpace(string(out)); err == nil && text != "" {
		return text
	}
	return "?"
}

func textOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "?"
	}
	return string(text)
}

// lineOf is the value of a line "NAME: VALUE" or "NAME=VALUE".
func lineOf(file, name string) string {
	for line := range strings.Lines(textOf(file)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, "\t :="))
		}
	}
	return "?"
}

func firstFields(text string, n int) []string {
	fields := strings.Fields(text)
	return fields[:min(n, len(fields))]
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
