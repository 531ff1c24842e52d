/* What wakes the thread that waits for libunbound stands here as well: Glibc's module has no eventfd. */
#include <sys/eventfd.h>
#include <unbound.h>
