package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// strictly decodes what holds nothing else.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// constant is one of a type, with its comment.
type constant struct{ value, comment string }

// constantsOf reads the constants of a type from a source file.
func constantsOf(path, name string) (all []constant) {
	for _, d := range parsedFile(path).Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == name {
				all = append(all, constant{strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`), sentence(spec.Comment)})
			}
		}
	}
	return all
}

func parsedFile(path string) *ast.File {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		panic(err)
	}
	return file
}

// sentence makes a comment one line.
func sentence(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// structs are the type declarations of the package and of the scoreboard.
var structs = func() map[string]*ast.GenDecl {
	all := map[string]*ast.GenDecl{}
	files, _ := filepath.Glob("../scoreboard/*.go")
	for _, path := range append(files, "message.go") {
		for _, d := range parsedFile(path).Decls {
			if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				all[decl.Specs[0].(*ast.TypeSpec).Name.Name] = decl
			}
		}
	}
	return all
}()

// fieldsTable describes a struct as it is on the wire, and all structs in it:
// names and types by reflection, the words from the source's comments.
func fieldsTable(t *testing.T, value any) string {
	var b strings.Builder
	done := map[reflect.Type]bool{}
	var describe func(kind reflect.Type)
	describe = func(kind reflect.Type) {
		done[kind] = true
		comments, head := commentsOf(t, kind)
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n| field | type | |\n|---|---|---|\n", wordOf(kind), head)
		var inside []reflect.Type
		for f := range kind.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			typ, part := wireType(f.Type)
			if part != nil && !done[part] && !slices.Contains(inside, part) {
				inside = append(inside, part)
			}
			if options == "" {
				typ += ", always"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, typ, comments[f.Name])
		}
		b.WriteString("\n")
		for _, part := range inside {
			// Those that two tables would describe stand at the first one.
			if part.Name() != "Error" && !done[part] {
				describe(part)
			}
		}
	}
	describe(reflect.TypeOf(value))
	return b.String()
}

// commentsOf finds the words for each field, with the names as they are on the
// wire, and those for the struct.
func commentsOf(t *testing.T, kind reflect.Type) (fields map[string]string, head string) {
	t.Helper()
	decl := structs[kind.Name()]
	if decl == nil {
		t.Fatalf("the source of %s is not found", kind)
	}
	rename := func(text string) string {
		for f := range kind.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, "`"+name+"`")
		}
		text = regexp.MustCompile(`\bnil\b`).ReplaceAllString(text, "absent")
		return strings.ReplaceAll(text, "|", "\\|")
	}
	fields = map[string]string{}
	for _, f := range decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType).Fields.List {
		words := strings.TrimSpace(sentence(f.Doc) + " " + sentence(f.Comment))
		for _, name := range f.Names {
			fields[name.Name] = rename(words)
			if words == "" {
				fields[name.Name] = namedBy(kind, name.Name, fields)
			}
		}
	}
	return fields, strings.Replace(sentence(decl.Doc), kind.Name(), "`"+wordOf(kind)+"`", 1)
}

// namedBy points to the field whose words are about another one too.
func namedBy(kind reflect.Type, name string, fields map[string]string) string {
	wire := func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return "`" + name + "`"
	}
	field, _ := kind.FieldByName(name)
	for f := range kind.Fields() {
		if strings.Contains(fields[f.Name], wire(field)) {
			return "see " + wire(f)
		}
	}
	return ""
}

// wireType names a field's type in JSON, and the struct that it is of.
func wireType(kind reflect.Type) (name string, part reflect.Type) {
	switch kind.Kind() {
	case reflect.Pointer:
		return wireType(kind.Elem())
	case reflect.Slice, reflect.Array:
		if kind.Elem().Kind() == reflect.Uint8 { // json.RawMessage
			return "depends on the request", nil
		}
		name, part = wireType(kind.Elem())
		return "list of " + name, part
	case reflect.Struct:
		return "`" + wordOf(kind) + "`", kind
	case reflect.Bool:
		return "true or false", nil
	case reflect.String:
		return "string", nil
	default:
		return "number", nil
	}
}

// wordOf is a struct's name on the page: "last death" for LastDeath.
func wordOf(kind reflect.Type) string {
	var b strings.Builder
	for i, r := range kind.Name() {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
