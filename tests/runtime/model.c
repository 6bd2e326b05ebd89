/* A model written by hand against the C interface: y = relu(x * 2 + bias), count = rows of x. */
#include "hand.h"

static const int64_t x_shape[] = {-1, 3};
static const int64_t bias_shape[] = {3};
static const int64_t y_shape[] = {-1, 3};
static const int64_t flat_shape[] = {INT64_MIN};
static const char *const dims[] = {"N"};

static const kerac_tensor inputs[] = {
    {"x", "f32", "f32[N, 3]", "", 2, x_shape, -1},
    {"bias", "f32", "f32[3]", "", 1, bias_shape, -1},
};
static const kerac_tensor outputs[] = {
    {"y", "f32", "f32[N, 3]", "dense", 2, y_shape, -1},
    {"flat", "i32", "i32[3*N]", "flatten", 1, flat_shape, -1},
};

static size_t workspace_size(const int64_t *lengths)
{
    return lengths[0] > 0 ? (size_t)lengths[0] * 3 * sizeof(float) : 0;
}

static int output_shape(int64_t output, const int64_t *lengths, int64_t *shape)
{
    if (lengths[0] <= 0)
        return KERAC_DIM_NOT_POSITIVE;
    shape[0] = output == 0 ? lengths[0] : 3 * lengths[0];
    if (output == 0)
        shape[1] = 3;
    return KERAC_OK;
}

static int run(const void *const *in, void *const *out, const int64_t *lengths, void *workspace,
               const kerac_parallel *parallel)
{
    const float *x, *bias;
    float *y, *doubled = workspace;
    int32_t *flat;
    int64_t i;
    (void)parallel;

    if (!in || !out || !workspace || !in[0] || !in[1] || !out[0] || !out[1])
        return KERAC_NULL_POINTER;
    if (lengths[0] <= 0)
        return KERAC_DIM_NOT_POSITIVE;
    if ((uintptr_t)workspace % KERAC_WORKSPACE_ALIGNMENT)
        return KERAC_WORKSPACE_NOT_ALIGNED;
    x = in[0], bias = in[1], y = out[0], flat = out[1];
    for (i = 0; i < 3 * lengths[0]; i++)
        doubled[i] = 2 * x[i];
    for (i = 0; i < 3 * lengths[0]; i++) {
        y[i] = doubled[i] + bias[i % 3] > 0 ? doubled[i] + bias[i % 3] : 0;
        flat[i] = (int32_t)y[i];
    }
    return KERAC_OK;
}

#ifndef VERSION
#define VERSION KERAC_ABI_VERSION
#endif

static const char *variant(void)
{
    return "any";
}

static const kerac_info info = {
    VERSION, "hand", "a test", "any", 1, dims, 2, inputs, 2, outputs, 0,
    workspace_size, output_shape, run, variant,
};

const kerac_info *hand_info(void)
{
    return &info;
}

#ifndef ANONYMOUS
const kerac_info *kerac_library_info(void);
const kerac_info *kerac_library_info(void)
{
    return &info;
}
#endif

size_t hand_workspace_size(int64_t batch)
{
    return workspace_size(&batch);
}

int hand_run(const void *const *in, void *const *out, int64_t batch, void *workspace)
{
    return run(in, out, &batch, workspace, NULL);
}

const char *hand_variant(void)
{
    return variant();
}

void hand_set_threads(int64_t threads)
{
    (void)threads;
}
