#ifndef MARTLET_CICONV_H
#define MARTLET_CICONV_H
#include <stddef.h>

/// A conversion descriptor of iconv(3), or NULL when the pair of charsets is unknown.
typedef void *martlet_iconv_t;

martlet_iconv_t martlet_iconv_open(const char *to, const char *from);
/// Converts as much as fits. Returns 0 when all input was taken, 1 when the output is full, 2 at an invalid sequence,
/// 3 at an incomplete sequence at the end of the input.
int martlet_iconv(martlet_iconv_t cd, const char **input, size_t *input_left, char **output, size_t *output_left);
/// Writes the sequence that returns the output to its initial shift state and resets the descriptor.
void martlet_iconv_reset(martlet_iconv_t cd);
void martlet_iconv_close(martlet_iconv_t cd);

#endif
