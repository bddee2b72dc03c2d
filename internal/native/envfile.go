package native

import (
	"fmt"
	"path/filepath"
	"strings"
)

// envFile reads the NAME=value lines of a file, once for all services. Blank
// lines and those that begin with # or ; are skipped; a value in single or
// double quotes loses them; nothing is expanded.
func (l *loader) envFile(p *places, w word) []variable {
	path := p.expand(w)
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	if vars, known := l.envFiles[path]; known {
		return vars
	}
	if l.envFiles == nil {
		l.envFiles = make(map[string][]variable)
	}
	l.envFiles[path] = nil
	if len(l.files) >= filesMax {
		l.report.errorf(w.at, "more than %d files are read", filesMax).instead("join some of them")
		return nil
	}
	data, err := l.sys.ReadFile(path)
	if err == nil && len(data) > fileBytesMax {
		err = fmt.Errorf("it is larger than %s", formatSize(fileBytesMax))
	}
	if err != nil {
		l.report.errorf(w.at, "cannot read %s: %v", path, unwrapped(err)).instead("write the path of a file that exists")
		return nil
	}
	l.files = append(l.files, path)
	l.cfg.Sources[path] = data
	l.envFiles[path] = l.parseEnv(newSource(path, data))
	return l.envFiles[path]
}

func (l *loader) parseEnv(src *source) []variable {
	var vars []variable
	for _, start := range src.lines {
		line := trimRight(span{src, start, src.lineEnd(start)})
		for line.off < line.end && (src.data[line.off] == ' ' || src.data[line.off] == '\t') {
			line.off++
		}
		text := line.text()
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if v, ok := l.envLine(line, text); ok {
			vars = append(vars, v)
		}
		if len(vars) > wordsMax {
			l.report.errorf(line, "more than %d variables in one file", wordsMax).instead("leave some out")
			break
		}
	}
	return vars
}

func (l *loader) envLine(line span, text string) (variable, bool) {
	name, value, ok := strings.Cut(text, "=")
	switch {
	case !ok:
		l.report.errorf(line, "a line that is no NAME=value").instead("write one, or # in front of a remark")
		return variable{}, false
	case strings.HasPrefix(name, "export "):
		l.report.errorf(line, "this file is not read by a shell").instead("leave out the word export")
		return variable{}, false
	case !variableForm().MatchString(name):
		l.report.errorf(span{line.src, line.off, line.off + len(name)}, "%s is no name for a variable", quoted(name)).
			instead("write letters, digits and _, with no blank before the =")
		return variable{}, false
	case strings.IndexByte(value, 0) >= 0 || len(value) > wordBytesMax:
		l.report.errorf(line, "the value of %s is longer than %d bytes or holds a NUL character", name, wordBytesMax).instead("shorten it")
		return variable{}, false
	}
	if n := len(value); n >= 1 && (value[0] == '"' || value[0] == '\'') {
		if n == 1 || value[n-1] != value[0] {
			l.report.errorf(span{line.src, line.off + len(name) + 1, line.end}, "the closing quote is missing").
				instead("write it at the end of the line, or leave both out")
			return variable{}, false
		}
		value = value[1 : n-1]
	}
	return variable{name, word{value, line}}, true
}
