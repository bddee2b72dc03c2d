//go:build arm64 || riscv64 || loong64

package nofile

// prlimit64 is the system call's number, see <asm-generic/unistd.h>.
const prlimit64 = 261
