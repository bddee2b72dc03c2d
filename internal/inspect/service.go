package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/brood-project/brood/internal/scoreboard"
)

// inspection is one look at one service.
type inspection struct {
	picture *scoreboard.Picture
	service *scoreboard.Service
	// who is whom its workers run as; nil if that is not known.
	who *identity
	// at is where the program was found to be as it should.
	at    string
	found []scoreboard.Finding
}

// Service inspects what the workers of a service need. What is wrong comes
// first; where nothing is, one sentence says so.
func Service(p *scoreboard.Picture, s *scoreboard.Service) []scoreboard.Finding {
	in := &inspection{picture: p, service: s}
	in.user()
	in.directory()
	in.program()
	in.addresses()
	in.files()
	in.mainCf()
	in.limits()
	in.hung()
	if len(in.found) == 0 && in.at != "" {
		in.found = append(in.found, scoreboard.Finding{
			About: "program",
			Text:  "The program " + in.at + " is there, with its interpreter, libraries and directory.",
		})
	}
	return in.found
}

// wrong notes what would explain a failure.
func (in *inspection) wrong(about, text, do string) {
	in.found = append(in.found, scoreboard.Finding{About: about, Wrong: true, Text: text, Do: do})
}

// note notes what an operator may want to know.
func (in *inspection) note(about, text string) {
	in.found = append(in.found, scoreboard.Finding{About: about, Text: text})
}

// whom is the user in words, as the subject of a sentence.
func (in *inspection) whom() string {
	if in.who == nil || in.service.User == "" {
		return "the service's user"
	}
	return in.service.User
}

func (in *inspection) user() {
	name := in.service.User
	if name == "" {
		// Workers run as brood does.
		in.who = identityOf(int(in.picture.PID))
		return
	}
	who, err := lookUp(name)
	if err != nil {
		in.wrong("user", "There is no user "+name+" on this machine.", "Make the user, or name another one.")
		return
	}
	in.who = who
}

func (in *inspection) directory() {
	dir := in.service.Directory
	if dir == "" {
		return
	}
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		in.wrong("directory", "The directory "+dir+" does not exist"+nearest(dir)+".", "Make it: mkdir -p "+dir+".")
	case err != nil:
	case !info.IsDir():
		in.wrong("directory", dir+" is not a directory.", "")
	default:
		in.reach("directory", dir, execute)
	}
}

// program looks at the command's file and at what the kernel needs to load it.
func (in *inspection) program() {
	if len(in.service.Command) == 0 {
		return
	}
	path := in.service.Command[0]
	if in.picture.Mode == "postfix" && !strings.Contains(path, "/") {
		// Postfix's daemons lie beside the master.
		if master, err := os.Readlink("/proc/" + strconv.Itoa(int(in.picture.PID)) + "/exe"); err == nil {
			path = filepath.Join(filepath.Dir(strings.TrimSuffix(master, " (deleted)")), path)
		}
	}
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		if err != nil {
			in.note("program", "The program "+path+" is not in this command's PATH; the daemon may have another.")
			return
		}
		path = found
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.service.Directory, path)
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		in.wrong("program", "The program "+path+" does not exist"+nearest(path)+".", "")
		return
	case err != nil:
		return
	case info.IsDir():
		in.wrong("program", path+" is a directory, not a program.", "")
		return
	case info.Mode()&0o111 == 0:
		in.wrong("program", path+" is not executable (mode "+modeOf(info)+").", "Make it executable: chmod +x "+path+".")
		return
	}
	if in.reach("program", path, execute) {
		in.at = path
		in.loadable(path)
	}
}

// nearest says how far a path exists.
func nearest(path string) string {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		return ""
	}
	for {
		up := filepath.Dir(dir)
		if _, err := os.Stat(up); err == nil || up == dir {
			return ", and neither does " + dir
		}
		dir = up
	}
}
