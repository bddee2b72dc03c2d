//go:build !brood_portable

#include "go_asm.h"
#include "textflag.h"

// The numbers are those of <asm/unistd_64.h>.
#define SYS_rt_sigprocmask 14
#define SYS_exit_group 231
#define SIG_SETMASK 2
#define MAX_ERRNO 4095

// LOAD puts the number and the arguments of the call at r where the kernel
// looks for them.
#define LOAD(r) \
	MOVQ op_nr(r), AX \
	MOVQ (op_args+0)(r), DI \
	MOVQ (op_args+8)(r), SI \
	MOVQ (op_args+16)(r), DX \
	MOVQ (op_args+24)(r), R10 \
	MOVQ (op_args+32)(r), R8 \
	MOVQ (op_args+40)(r), R9

// func vfork(w *womb) uintptr
//
// The child lives below the label of that name. It shares our memory and has our
// stack pointer, while this thread goes on with the stack: so it must not touch
// it, there is no call and no push. BX, R12 and R13 survive a system call.
TEXT ·vfork(SB), NOSPLIT, $0-16
	MOVQ w+0(FP), BX

	// Block all signals, so that none of Go's handlers runs in the child.
	MOVQ $SYS_rt_sigprocmask, AX
	MOVQ $SIG_SETMASK, DI
	LEAQ womb_full(BX), SI
	LEAQ womb_saved(BX), DX
	MOVQ $8, R10
	SYSCALL

	LEAQ womb_clone(BX), R12
	LOAD(R12)
	SYSCALL
	TESTQ AX, AX
	JZ   child

	// The parent goes on at once.
	MOVQ AX, R12
	MOVQ $SYS_rt_sigprocmask, AX
	MOVQ $SIG_SETMASK, DI
	LEAQ womb_saved(BX), SI
	XORL DX, DX
	MOVQ $8, R10
	SYSCALL
	MOVQ R12, ret+8(FP)
	RET

child:
	MOVQ womb_ops(BX), R12
	XORL R13, R13

step:
	LOAD(R12)
	SYSCALL
	CMPQ AX, $-MAX_ERRNO
	JCC  failed
	MOVQ op_decimal(R12), R8
	TESTQ R8, R8
	JNZ  decimal

next:
	ADDQ $op__size, R12
	INCQ R13
	JMP  step

failed:
	CMPQ op_mayFail(R12), $0
	JNE  next
	NEGQ AX
	MOVQ R13, womb_failed(BX)
	MOVQ AX, womb_errno(BX)

end:
	MOVQ $SYS_exit_group, AX
	MOVQ $127, DI
	SYSCALL
	JMP  end

	// Write AX in decimal to R8, and a NUL behind it: first find where the
	// number ends, then go back from there.
decimal:
	MOVQ AX, R9
	MOVQ $10, CX

count:
	INCQ R8
	XORL DX, DX
	DIVQ CX
	TESTQ AX, AX
	JNZ  count
	MOVB $0, (R8)
	MOVQ R9, AX

digit:
	XORL DX, DX
	DIVQ CX
	ADDQ $'0', DX
	DECQ R8
	MOVB DX, (R8)
	TESTQ AX, AX
	JNZ  digit
	JMP  next
