package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// needed are the endings of files that a program reads and does not make.
var needed = []string{
	".conf", ".cfg", ".ini", ".toml", ".yaml", ".yml", ".json", ".xml", ".env",
	".pem", ".key", ".crt", ".cer", ".p12", ".py", ".js", ".rb", ".php", ".pl", ".sh", ".lua", ".jar",
}

// filesMost bounds how many files are looked at.
const filesMost = 20

// files looks at those that the last words and the arguments name.
func (in *inspection) files() {
	seen := map[string]bool{}
	if d := in.service.Failure; d != nil {
		for _, path := range d.Files() {
			in.file(path, "named in its last words", true, seen)
		}
	}
	for _, arg := range in.service.Command[min(1, len(in.service.Command)):] {
		if _, value, ok := strings.Cut(arg, "="); ok {
			arg = value
		}
		if strings.HasPrefix(arg, "/") {
			in.file(arg, "named in its command", slices.Contains(needed, filepath.Ext(arg)), seen)
		}
	}
}

// file looks at one. Files that a program makes itself need not be there.
func (in *inspection) file(path, where string, must bool, seen map[string]bool) {
	if seen[path] || len(seen) > filesMost || len(in.service.Command) > 0 && path == in.service.Command[0] {
		return
	}
	seen[path] = true
	if root := in.service.Chroot; root != "" {
		below := filepath.Join(root, path)
		if exists(path) && !exists(below) {
			in.wrong("file", path+", "+where+", is not there below its root: "+below+" does not exist.",
				"Copy it there: cp --parents "+path+" "+root+".")
			return
		}
		path = below
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err) && must:
		in.wrong("file", path+", "+where+", does not exist"+nearest(path)+".", "Put "+path+" in place.")
	case err == nil && !info.IsDir():
		in.reach("file", path, read)
	}
}
