package nofile

// prlimit64 is the system call's number, see <asm/unistd.h>.
const prlimit64 = 302
