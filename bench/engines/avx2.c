/* Hides AVX-512 from a process, to see how engines run where there is none:
 *
 *     gcc -O1 -shared -fPIC -o avx2.so avx2.c && LD_PRELOAD=./avx2.so program
 *
 * The kernel makes the instruction CPUID fail (arch_prctl(2), ARCH_CPUID), and the handler answers in its place, without the bits of
 * AVX-512 and AMX. Linux on x86-64, on processors that can make it fail; elsewhere it says so and ends the process. The handlers of
 * that fault that Paddle and tritonserver bring are ignored.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012

static int let_cpuid(int allowed) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed); }

static int handle(int number, const struct sigaction *action) {
    int (*real)(int, const struct sigaction *, struct sigaction *) = dlsym(RTLD_NEXT, "sigaction");
    return real(number, action, NULL);
}

static void answer(int number, siginfo_t *info, void *data) {
    greg_t *registers = ((ucontext_t *)data)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) { /* another fault: let it end the process */
        handle(number, &(struct sigaction){.sa_handler = SIG_DFL});
        return;
    }
    uint32_t leaf = registers[REG_RAX], subleaf = registers[REG_RCX], a, b, c, d;
    let_cpuid(1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    let_cpuid(0);
    if (leaf == 7 && subleaf == 0) {
        b &= ~0xdc230000u; /* F, DQ, IFMA, PF, ER, CD, BW, VL */
        c &= ~0x00005842u; /* VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ */
        d &= ~0x03c0010cu; /* 4VNNIW, 4FMAPS, VP2INTERSECT, AMX, FP16 */
    } else if (leaf == 7 && subleaf == 1) {
        a &= ~0x00000030u; /* AVX-VNNI, BF16 */
    } else if (leaf == 0xd && subleaf == 0) {
        a &= ~0x000000e0u; /* the state of the registers */
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    handle(SIGSEGV, &action);
    if (let_cpuid(0)) {
        perror("this processor cannot hide its instructions");
        exit(77);
    }
}

int sigaction(int number, const struct sigaction *action, struct sigaction *before) {
    int (*real)(int, const struct sigaction *, struct sigaction *) = dlsym(RTLD_NEXT, "sigaction");
    return real(number, number == SIGSEGV ? NULL : action, before);
}

sighandler_t signal(int number, sighandler_t handler) {
    sighandler_t (*real)(int, sighandler_t) = dlsym(RTLD_NEXT, "signal");
    return number == SIGSEGV ? SIG_DFL : real(number, handler);
}
