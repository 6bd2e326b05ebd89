/* Run any compiled model: driver LIBRARY INPUTS OUTPUTS dims...
 * INPUTS holds the arrays of all inputs, one after the other; OUTPUTS gets those of all outputs.
 * Prints which variant of the library runs. */
#include "model.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

static size_t bytes(const char *dtype)
{
    const char *digits = dtype + strcspn(dtype, "0123456789");
    return *digits ? strtoul(digits, NULL, 10) / 8 : 1;
}

static void *array(const kerac_tensor *tensor, const int64_t *shape, size_t *size)
{
    *size = bytes(tensor->dtype);
    for (int64_t axis = 0; axis < tensor->ndim; axis++)
        *size *= (size_t)shape[axis];
    return calloc(*size + 1, 1);
}

int main(int count, char **arguments)
{
    const kerac_info *(*find)(void), *info;
    void *library = dlopen(arguments[1], RTLD_NOW), *symbol, *workspace;
    FILE *source = fopen(arguments[2], "rb"), *sink = fopen(arguments[3], "wb");
    int64_t dims[MOST] = {0}, shape[MOST];
    const void **inputs;
    void **outputs;
    size_t *sizes, size;
    int code;

    if (!library || !source || !sink || count > 4 + MOST) {
        fprintf(stderr, "%s\n", library ? "bad arguments" : dlerror());
        return 100;
    }
    symbol = dlsym(library, "kerac_library_info");
    memcpy(&find, &symbol, sizeof find);
    info = find();
    for (int place = 4; place < count; place++)
        dims[place - 4] = atoll(arguments[place]);
    inputs = calloc((size_t)info->input_count + 1, sizeof *inputs);
    outputs = calloc((size_t)info->output_count, sizeof *outputs);
    sizes = calloc((size_t)info->output_count, sizeof *sizes);
    for (int64_t i = 0; i < info->input_count; i++) {
        const kerac_tensor *tensor = &info->inputs[i];
        void *read;
        for (int64_t axis = 0; axis < tensor->ndim; axis++)
            shape[axis] = tensor->shape[axis] >= 0 ? tensor->shape[axis]
                                                   : dims[-1 - tensor->shape[axis]];
        read = array(tensor, shape, &size);
        if (fread(read, 1, size, source) != size)
            return 101;
        inputs[i] = read;
    }
    for (int64_t i = 0; i < info->output_count; i++) {
        if (info->output_shape(i, dims, shape))
            return 102;
        outputs[i] = array(&info->outputs[i], shape, &sizes[i]);
    }
    if (!info->variant()) { /* then nothing is computed, whatever is given */
        puts("none");
        return info->workspace_size(dims) ? 103 : info->run(NULL, NULL, NULL, NULL, NULL);
    }
    size = info->workspace_size(dims);
    workspace = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT,
                              (size / KERAC_WORKSPACE_ALIGNMENT + 1) * KERAC_WORKSPACE_ALIGNMENT);
    code = info->run(inputs, outputs, dims, workspace, NULL);
    for (int64_t i = 0; i < info->output_count; i++)
        fwrite(outputs[i], 1, sizes[i], sink);
    fclose(sink);
    puts(info->variant());
    return code;
}
