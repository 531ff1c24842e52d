/* Records what a program does to the files below one directory, so that a power cut can be replayed at any point.

   LD_PRELOAD=recorder.so RECORDER_DIR=/absolute/dir RECORDER_LOG=/elsewhere/log program

   The log is a row of records, each written at once and in the order in which the calls took effect:

       0   'R', kind (char), 2 octets zero       24  length of the text (u32)
       4   length of the data (u32)              28  text (a path below the directory), then data
       8   inode (u64)
       16  number (i64)

     O  a file was opened for writing; number 1: this call made it       text: path
     W  data was written; number: the offset                             data: the octets
     T  a file got the size `number`
     B  a sync of a file began; number: its token                        E  it ended, and was successful
     b  a sync of a directory began                                      e  it ended, and was successful (text: path)
     D  a directory was made   R  renamed (text: from, data: to)   U  unlinked   X  a directory was removed

   A sync has a beginning and an end, since only what was written before its beginning is durable at its end.
   Memory mapped files are not seen; SQLite maps nothing but the -shm file, which a restart makes anew.
   Numbers are those of the machine: the log is read where it was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536 };
static ino_t opened[DESCRIPTORS]; /* the inode for which a descriptor was opened by us, or 0 */
static char root[4096];
static size_t root_length;
static int log_file = -1;
static int64_t tokens;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_rmdir)(const char *);
static int (*real_mkdir)(const char *, mode_t);

__attribute__((constructor)) static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rmdir = dlsym(RTLD_NEXT, "rmdir");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    const char *directory = getenv("RECORDER_DIR"), *path = getenv("RECORDER_LOG");
    if (!directory || !path) return;
    root_length = (size_t)snprintf(root, sizeof root, "%s/", directory);
    log_file = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0) abort();
}

static const char *below(const char *path) {
    if (log_file < 0 || strncmp(path, root, root_length - 1) != 0) return NULL;
    return path[root_length - 1] == '/' ? path + root_length : path[root_length - 1] == 0 ? "" : NULL;
}

/* The caller holds the lock, and has made the call already. Keeps errno. */
static void record(char kind, uint64_t inode, int64_t number, const char *text, const void *data, size_t length) {
    int kept = errno;
    char head[28] = {'R', kind};
    uint32_t data_length = (uint32_t)length, text_length = text ? (uint32_t)strlen(text) : 0;
    memcpy(head + 4, &data_length, 4);
    memcpy(head + 8, &inode, 8);
    memcpy(head + 16, &number, 8);
    memcpy(head + 24, &text_length, 4);
    struct iovec parts[3] = {{head, 28}, {(void *)text, text_length}, {(void *)data, length}};
    if (real_writev(log_file, parts, 3) != (ssize_t)(28 + text_length + length)) abort();
    errno = kept;
}

/* The inode behind a descriptor that was opened here; 0 for all others. */
static ino_t inode_of(int fd) {
    if (log_file < 0 || fd < 0 || fd >= DESCRIPTORS || opened[fd] == 0) return 0;
    int kept = errno;
    struct stat status;
    ino_t inode = fstat(fd, &status) == 0 && status.st_ino == opened[fd] ? status.st_ino : 0;
    errno = kept;
    return inode;
}

static int did_open(int fd, const char *path, int flags, int was_there) {
    const char *name = below(path);
    struct stat status;
    if (fd < 0 || fd >= DESCRIPTORS) return fd;
    opened[fd] = 0;
    if (!name || fstat(fd, &status) != 0) return fd;
    if (S_ISDIR(status.st_mode)) {
        opened[fd] = status.st_ino;
    } else if (S_ISREG(status.st_mode) && (flags & O_ACCMODE) != O_RDONLY) {
        opened[fd] = status.st_ino;
        record('O', status.st_ino, !was_there, name, NULL, 0);
        if (was_there && (flags & O_TRUNC)) record('T', status.st_ino, 0, NULL, NULL, 0);
    }
    return fd;
}

static int do_open(int at, const char *path, int flags, mode_t mode) {
    if (!below(path)) return at == AT_FDCWD ? real_open(path, flags, mode) : real_openat(at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int was_there = access(path, F_OK) == 0;
    int fd = did_open(real_openat(at, path, flags, mode), path, flags, was_there);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }

int open(const char *path, int flags, ...) { MODE(flags) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return do_open(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

/* Octets from several buffers, as one record each. */
static void wrote(ino_t inode, off_t offset, const struct iovec *parts, int count, ssize_t done) {
    for (int i = 0; i < count && done > 0; i++) {
        size_t length = parts[i].iov_len < (size_t)done ? parts[i].iov_len : (size_t)done;
        if (length > 0) record('W', inode, offset, NULL, parts[i].iov_base, length);
        offset += (off_t)length;
        done -= (ssize_t)length;
    }
}

/* At the present place: after the call, the place tells where the octets went, also with O_APPEND. */
static ssize_t do_writev(int fd, const struct iovec *parts, int count) {
    ino_t inode = inode_of(fd);
    if (!inode) return real_writev(fd, parts, count);
    pthread_mutex_lock(&lock);
    ssize_t done = real_writev(fd, parts, count);
    if (done > 0) wrote(inode, lseek(fd, 0, SEEK_CUR) - done, parts, count, done);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t do_pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    ino_t inode = inode_of(fd);
    if (!inode) return real_pwritev(fd, parts, count, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = real_pwritev(fd, parts, count, offset);
    if (done > 0) wrote(inode, offset, parts, count, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    if (!inode_of(fd)) return real_write(fd, data, length);
    return do_writev(fd, &(struct iovec){(void *)data, length}, 1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return do_writev(fd, parts, count); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    if (!inode_of(fd)) return real_pwrite(fd, data, length, offset);
    return do_pwritev(fd, &(struct iovec){(void *)data, length}, 1, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return pwrite(fd, data, length, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return do_pwritev(fd, parts, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return do_pwritev(fd, parts, count, offset); }

int ftruncate(int fd, off_t size) {
    ino_t inode = inode_of(fd);
    if (!inode) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int result = real_ftruncate(fd, size);
    if (result == 0) record('T', inode, size, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Only what makes a file longer is known; anything else would have to be added here. */
int fallocate(int fd, int mode, off_t offset, off_t length) {
    ino_t inode = inode_of(fd);
    if (!inode) return real_fallocate(fd, mode, offset, length);
    if (mode != 0) abort();
    pthread_mutex_lock(&lock);
    struct stat status;
    int result = real_fallocate(fd, mode, offset, length);
    if (result == 0 && fstat(fd, &status) == 0) record('T', inode, status.st_size, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int fallocate64(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

static int do_sync(int fd, int (*real)(int)) {
    ino_t inode = inode_of(fd);
    if (!inode) return real(fd);
    struct stat status;
    char link[64], path[4096] = "";
    const char *name = NULL;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = 0;
        name = below(path);
        if (!name) return real(fd);
    }
    pthread_mutex_lock(&lock);
    int64_t token = ++tokens;
    record(name ? 'b' : 'B', inode, token, name, NULL, 0);
    pthread_mutex_unlock(&lock);
    int result = real(fd);
    if (result == 0) {
        pthread_mutex_lock(&lock);
        record(name ? 'e' : 'E', inode, token, name, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return result;
}
int fsync(int fd) { return do_sync(fd, real_fsync); }
int fdatasync(int fd) { return do_sync(fd, real_fdatasync); }

int rename(const char *from, const char *to) {
    if (!below(from) || !below(to)) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int result = real_rename(from, to);
    if (result == 0) record('R', 0, 0, below(from), below(to), strlen(below(to)));
    pthread_mutex_unlock(&lock);
    return result;
}

#define ON_A_NAME(call, kind)                                                                                          \
    int call(const char *path) {                                                                                       \
        if (!below(path)) return real_##call(path);                                                                    \
        pthread_mutex_lock(&lock);                                                                                     \
        int result = real_##call(path);                                                                                \
        if (result == 0) record(kind, 0, 0, below(path), NULL, 0);                                                     \
        pthread_mutex_unlock(&lock);                                                                                   \
        return result;                                                                                                 \
    }
ON_A_NAME(unlink, 'U')
ON_A_NAME(rmdir, 'X')

int mkdir(const char *path, mode_t mode) {
    if (!below(path)) return real_mkdir(path, mode);
    pthread_mutex_lock(&lock);
    int result = real_mkdir(path, mode);
    if (result == 0) record('D', 0, 0, below(path), NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
