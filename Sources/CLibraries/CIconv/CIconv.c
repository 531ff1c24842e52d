#include "CIconv.h"
#include <errno.h>
#include <iconv.h>

martlet_iconv_t martlet_iconv_open(const char *to, const char *from) {
    iconv_t cd = iconv_open(to, from);
    return cd == (iconv_t)-1 ? NULL : (martlet_iconv_t)cd;
}

int martlet_iconv(martlet_iconv_t cd, const char **input, size_t *input_left, char **output, size_t *output_left) {
    if (iconv((iconv_t)cd, (char **)input, input_left, output, output_left) != (size_t)-1) return 0;
    if (errno == E2BIG) return 1;
    if (errno == EILSEQ) return 2;
    return 3;
}

void martlet_iconv_reset(martlet_iconv_t cd) { iconv((iconv_t)cd, NULL, NULL, NULL, NULL); }

void martlet_iconv_close(martlet_iconv_t cd) { iconv_close((iconv_t)cd); }
