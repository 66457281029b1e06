/* Stands between a process and its disk: writes down how much of each file was synced, and makes syncing
   fail on demand. Loaded with LD_PRELOAD.

   OBSERVER_LOG   a line for each sync that succeeded: BYTES PATH
   OBSERVER_FAIL  while this file exists, syncing fails with EIO */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int synced(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *fail = getenv("OBSERVER_FAIL");
    const char *log = getenv("OBSERVER_LOG");
    struct stat before;
    char link[64], path[4096], line[4200];
    /* What is written while the sync runs may or may not be part of it. */
    int known = fstat(fd, &before) == 0;
    if (fail && access(fail, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (result != 0 || !known || !log) return result;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return result;
    path[length] = 0;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) abort();
    int bytes = snprintf(line, sizeof line, "%lld %s\n", (long long)before.st_size, path);
    if (write(out, line, bytes) != bytes) abort();
    close(out);
    return result;
}

int fdatasync(int fd) { return synced(fd, "fdatasync"); }
int fsync(int fd) { return synced(fd, "fsync"); }
