//go:build !brood_portable

#include "textflag.h"

#define SYS_write 1
#define SYS_rt_sigreturn 15

// One is what the handler writes.
DATA one<>+0(SB)/8, $1
GLOBL one<>(SB), RODATA|NOPTR, $8

// onDeath is a signal handler. The kernel calls it on the thread's signal stack
// and puts all registers back behind it, so it need not know anything of Go.
TEXT onDeath<>(SB), NOSPLIT|NOFRAME, $0
	MOVL ·deathsFD(SB), DI
	LEAQ one<>(SB), SI
	MOVQ $8, DX
	MOVQ $SYS_write, AX
	SYSCALL
	RET

// leaveHandler is where onDeath returns to.
TEXT leaveHandler<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $SYS_rt_sigreturn, AX
	SYSCALL
	INT $3

// func handlerAddresses() (handler, restorer uintptr)
TEXT ·handlerAddresses(SB), NOSPLIT, $0-16
	LEAQ onDeath<>(SB), AX
	MOVQ AX, handler+0(FP)
	LEAQ leaveHandler<>(SB), AX
	MOVQ AX, restorer+8(FP)
	RET
