/* Classify images with a network that kerac compiled; needs nothing but the C library.
 *
 *     predict IMAGES [LABELS]
 *
 * IMAGES holds raw float32 pixels, 8 * 8 for each image; LABELS one raw int32 for each image.
 * Prints the digit that each image shows, one a line; with LABELS, the accuracy instead.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "digits.h"

enum {
    PIXELS = DIGITS_INPUT_0_ELEMENTS(1), /* of a batch of one image */
    CLASSES = DIGITS_OUTPUT_0_ELEMENTS(1),
    CHUNK = 64 /* images a call; a library serves every batch size */
};

static int fail(const char *what, const char *which)
{
    fprintf(stderr, "predict: %s%s\n", what, which);
    return EXIT_FAILURE;
}

static int most_likely(const float *probabilities)
{
    int best = 0;
    for (int i = 1; i < CLASSES; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;
}

/* Classify all images of a file. Returns how many there were, or -1 after a failed run. */
static long classify(FILE *images, FILE *labels, void *workspace, long *correct)
{
    static float pixels[CHUNK * PIXELS], probabilities[CHUNK * CLASSES];
    static int32_t expected[CHUNK];
    const void *const inputs[] = {pixels};
    void *const outputs[] = {probabilities};
    long total = 0;
    size_t count;

    while ((count = fread(pixels, sizeof *pixels * PIXELS, CHUNK, images)) > 0) {
        if (labels && fread(expected, sizeof *expected, count, labels) != count)
            return -1;
        if (digits_run(inputs, outputs, (int64_t)count, workspace) != KERAC_OK)
            return -1;
        for (size_t i = 0; i < count; i++) {
            int digit = most_likely(probabilities + i * CLASSES);
            if (labels)
                *correct += digit == expected[i];
            else
                printf("%d\n", digit);
        }
        total += (long)count;
    }
    return total;
}

int main(int argc, char **argv)
{
    FILE *images, *labels = NULL;
    void *workspace;
    size_t size;
    long total, correct = 0;

    if (argc < 2 || argc > 3)
        return fail("usage: predict IMAGES [LABELS]", "");
    images = fopen(argv[1], "rb");
    if (!images)
        return fail("cannot read ", argv[1]);
    if (argc == 3 && !(labels = fopen(argv[2], "rb")))
        return fail("cannot read ", argv[2]);

    /* One workspace serves one call at a time; a program with threads has one for each. */
    size = digits_workspace_size(CHUNK);
    workspace = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT,
                              (size / KERAC_WORKSPACE_ALIGNMENT + 1) * KERAC_WORKSPACE_ALIGNMENT);
    if (!workspace)
        return fail("out of memory", "");

    total = classify(images, labels, workspace, &correct);
    free(workspace);
    fclose(images);
    if (labels)
        fclose(labels);
    if (total < 0)
        return fail("the network did not run, or there are fewer labels than images", "");
    if (argc == 3)
        printf("%ld of %ld images right\n", correct, total);
    return EXIT_SUCCESS;
}
