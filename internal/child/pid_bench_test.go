package child

import "testing"

// BenchmarkPID is what the child's own id in its environment costs a birth.
func BenchmarkPID(b *testing.B) {
	path := tinyProgram(b)
	for _, names := range [][]string{nil, {"LISTEN_PID", "WATCHDOG_PID"}} {
		name := "without"
		if names != nil {
			name = "with"
		}
		b.Run(name, func(b *testing.B) {
			s := benchSpec(b, path)
			s.PIDEnv = names
			for b.Loop() {
				pid, err := Start(s)
				if err != nil {
					b.Fatal(err)
				}
				bury(b, pid)
			}
		})
	}
	// What a program between birth and worker would cost instead.
	b.Run("shell", func(b *testing.B) {
		s := benchSpec(b, "/bin/sh")
		s.Args = []string{"sh", "-c", "LISTEN_PID=$$ exec " + path}
		for b.Loop() {
			pid, err := Start(s)
			if err != nil {
				b.Fatal(err)
			}
			bury(b, pid)
		}
	})
}
