/* A preloaded library that makes the N-th call that changes a file fail, fall short, or end the process.
 *
 * gcc -O2 -shared -fPIC -o faults.so preload.c
 *
 * Its state lies in memory that forked processes share, and is set from Python (faults_state). Calls on standard
 * input, output and error do not count, nor do those on anything but regular files and folders.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum action { NOTHING, SIGNAL_EDITOR, SIGNAL_READER, FAIL, SHORT, FAIL_ONWARDS, TOUCH, NARROW, OTHER_NAME };
enum call { WRITE, PWRITE, WRITEV, COPY, SENDFILE, TRUNCATE, ALLOCATE, OPEN, RENAME, LINK, UNLINK, SYNC, DATASYNC, MODE,
            OWNER, ATTRIBUTE, TIMES };

#define LOG 4096

/* faults_state.py describes the same layout. */
struct state {
    int32_t armed, action, number, at, poor, plenty, editor, count, fired;
    int8_t calls[LOG]; /* 1 + the call; negative where the reading process made it */
    char source[32];   /* the file that is edited, in the working folder */
};

static struct state *state;

__attribute__((constructor)) static void prepare(void)
{
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

struct state *faults_state(void) { return state; }

/* Do to the file that is edited what somebody else might, by calls that are not counted. */
static void meddle(void)
{
    int before = errno;
    if (state->action == NARROW)
        syscall(SYS_fchmodat, AT_FDCWD, state->source, 0600);
    else if (state->action == OTHER_NAME)
        syscall(SYS_linkat, AT_FDCWD, state->source, AT_FDCWD, "another name", 0);
    else {
        struct stat was;
        char first;
        int fd = syscall(SYS_openat, AT_FDCWD, state->source, O_RDWR);
        fstat(fd, &was);
        pread(fd, &first, 1, 0);
        syscall(SYS_pwrite64, fd, &first, 1, 0);
        struct timespec times[2] = {was.st_atim, was.st_mtim};
        syscall(SYS_utimensat, fd, NULL, times, 0);
        close(fd);
    }
    errno = before;
}

/* What becomes of a call: 0 it is made, -1 it fails with errno set, 1 it falls short. */
static int fate(enum call call, size_t length)
{
    if (state == MAP_FAILED || !state->armed)
        return 0;
    int number = __sync_add_and_fetch(&state->count, 1);
    int reader = getpid() != state->editor;
    if (number < LOG)
        state->calls[number] = reader ? -(call + 1) : call + 1;
    if (number < state->at || (number > state->at && state->action != FAIL_ONWARDS))
        return 0;
    switch (state->action) {
    case SIGNAL_EDITOR:
        state->fired = 1;
        if (reader)
            kill(state->editor, state->number);
        else
            raise(state->number);
        return 0;
    case SIGNAL_READER:
        if (reader) {
            state->fired = 1;
            raise(state->number);
        }
        return 0;
    case FAIL:
    case FAIL_ONWARDS:
        state->fired = 1;
        errno = state->number;
        return -1;
    case SHORT:
        if (length < 2 || call > SENDFILE)
            return 0;
        state->fired = 1;
        return 1;
    case TOUCH:
    case NARROW:
    case OTHER_NAME:
        state->fired = 1;
        meddle();
        return 0;
    default:
        return 0;
    }
}

static int counts(int fd)
{
    struct stat status;
    int before = errno;
    int file = fd > 2 && fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    errno = before;
    return file;
}

static int refused(int error) { return state != MAP_FAILED && state->armed && state->poor ? (errno = error, 1) : 0; }

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define TRANSFER(result, name, call, parameters, fd, length, whole, half) \
    result name parameters \
    { \
        REAL(name); \
        switch (counts(fd) ? fate(call, length) : 0) { \
        case -1: return -1; \
        case 1: return real half; \
        default: return real whole; \
        } \
    }

#define ACT(name, call, parameters, wanted, arguments) \
    int name parameters \
    { \
        REAL(name); \
        return (wanted) && fate(call, 0) < 0 ? -1 : real arguments; \
    }

TRANSFER(ssize_t, write, WRITE, (int fd, const void *from, size_t n), fd, n, (fd, from, n), (fd, from, n / 2))
TRANSFER(ssize_t, pwrite, PWRITE, (int fd, const void *from, size_t n, off_t at), fd, n, (fd, from, n, at),
         (fd, from, n / 2, at))
TRANSFER(ssize_t, pwrite64, PWRITE, (int fd, const void *from, size_t n, off64_t at), fd, n, (fd, from, n, at),
         (fd, from, n / 2, at))
TRANSFER(ssize_t, writev, WRITEV, (int fd, const struct iovec *from, int n), fd, n, (fd, from, n), (fd, from, n / 2))
TRANSFER(ssize_t, sendfile, SENDFILE, (int fd, int from, off_t *at, size_t n), fd, n, (fd, from, at, n),
         (fd, from, at, n / 2))
TRANSFER(ssize_t, sendfile64, SENDFILE, (int fd, int from, off64_t *at, size_t n), fd, n, (fd, from, at, n),
         (fd, from, at, n / 2))

ssize_t copy_file_range(int from, off64_t *there, int fd, off64_t *here, size_t n, unsigned flags)
{
    REAL(copy_file_range);
    if (refused(EOPNOTSUPP))
        return -1;
    switch (counts(fd) ? fate(COPY, n) : 0) {
    case -1: return -1;
    case 1: return real(from, there, fd, here, n / 2, flags);
    default: return real(from, there, fd, here, n, flags);
    }
}

/* posix_fallocate returns its error; where a file system cannot, the C library writes zeros, and it cannot fail so. */
#define ALLOCATE_AS(name, off) \
    int name(int fd, off at, off n) \
    { \
        REAL(name); \
        return counts(fd) && fate(ALLOCATE, 0) < 0 ? errno : real(fd, at, n); \
    }
ALLOCATE_AS(posix_fallocate, off_t)
ALLOCATE_AS(posix_fallocate64, off64_t)

ACT(fallocate, ALLOCATE, (int fd, int mode, off_t at, off_t n), counts(fd), (fd, mode, at, n))
ACT(fallocate64, ALLOCATE, (int fd, int mode, off64_t at, off64_t n), counts(fd), (fd, mode, at, n))
ACT(ftruncate, TRUNCATE, (int fd, off_t n), counts(fd), (fd, n))
ACT(ftruncate64, TRUNCATE, (int fd, off64_t n), counts(fd), (fd, n))
ACT(truncate, TRUNCATE, (const char *path, off_t n), 1, (path, n))
ACT(truncate64, TRUNCATE, (const char *path, off64_t n), 1, (path, n))
ACT(rename, RENAME, (const char *old, const char *new), 1, (old, new))
ACT(renameat, RENAME, (int a, const char *old, int b, const char *new), 1, (a, old, b, new))
ACT(renameat2, RENAME, (int a, const char *old, int b, const char *new, unsigned flags), 1, (a, old, b, new, flags))
ACT(unlink, UNLINK, (const char *path), 1, (path))
ACT(unlinkat, UNLINK, (int folder, const char *path, int flags), 1, (folder, path, flags))
ACT(fsync, SYNC, (int fd), counts(fd), (fd))
ACT(fdatasync, DATASYNC, (int fd), counts(fd), (fd))
ACT(fchmod, MODE, (int fd, mode_t mode), counts(fd), (fd, mode))
ACT(chmod, MODE, (const char *path, mode_t mode), 1, (path, mode))
ACT(fchmodat, MODE, (int folder, const char *path, mode_t mode, int flags), 1, (folder, path, mode, flags))
ACT(fchown, OWNER, (int fd, uid_t user, gid_t group), counts(fd), (fd, user, group))
ACT(chown, OWNER, (const char *path, uid_t user, gid_t group), 1, (path, user, group))
ACT(fsetxattr, ATTRIBUTE, (int fd, const char *name, const void *value, size_t n, int flags), counts(fd),
    (fd, name, value, n, flags))
ACT(setxattr, ATTRIBUTE, (const char *path, const char *name, const void *value, size_t n, int flags), 1,
    (path, name, value, n, flags))
ACT(futimens, TIMES, (int fd, const struct timespec when[2]), counts(fd), (fd, when))
ACT(utimensat, TIMES, (int folder, const char *path, const struct timespec when[2], int flags), 1,
    (folder, path, when, flags))

int link(const char *old, const char *new)
{
    REAL(link);
    return refused(EPERM) || fate(LINK, 0) < 0 ? -1 : real(old, new);
}

int linkat(int a, const char *old, int b, const char *new, int flags)
{
    REAL(linkat);
    return refused(EPERM) || fate(LINK, 0) < 0 ? -1 : real(a, old, b, new, flags);
}

#define OPEN_AS(name, head, ...) \
    int name(head, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        int makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE; \
        return makes && fate(OPEN, 0) < 0 ? -1 : real(__VA_ARGS__, flags, mode); \
    }
#define FOLDER_AND_PATH int folder, const char *path
OPEN_AS(open, const char *path, path)
OPEN_AS(open64, const char *path, path)
OPEN_AS(openat, FOLDER_AND_PATH, folder, path)
OPEN_AS(openat64, FOLDER_AND_PATH, folder, path)

/* A disk that says it has room, so that the writes themselves find out. */
#define SPACE_AS(name, how, what, kind) \
    int name(how what, struct kind *found) \
    { \
        REAL(name); \
        int result = real(what, found); \
        if (!result && state != MAP_FAILED && state->plenty) \
            found->f_bavail = 1u << 30; \
        return result; \
    }
SPACE_AS(statvfs64, const char *, path, statvfs64)
SPACE_AS(fstatvfs64, int, fd, statvfs64)
