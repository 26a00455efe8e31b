/* The limit: libvips alone, making the same two JPEGs and the measures of each photo, in two processes of one thread each. Nothing is read or stored
   but the files named on the command line. Prints CPU seconds and wall seconds. Linked with the very library that the service uses. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Declared here because the npm package has no headers. */
typedef struct _VipsImage VipsImage;
extern int vips_init(const char *);
extern void vips_cache_set_max(int);
extern void vips_concurrency_set(int);
extern int vips_jpegload_buffer(void *, size_t, VipsImage **, ...);
extern int vips_resize(VipsImage *, VipsImage **, double, ...);
extern int vips_colourspace(VipsImage *, VipsImage **, int, ...);
extern int vips_autorot(VipsImage *, VipsImage **, ...);
extern int vips_thumbnail_image(VipsImage *, VipsImage **, int, ...);
extern int vips_jpegsave_buffer(VipsImage *, void **, size_t *, ...);
extern int vips_hist_find(VipsImage *, VipsImage **, ...);
extern int vips_sobel(VipsImage *, VipsImage **, ...);
extern VipsImage *vips_image_copy_memory(VipsImage *);
extern int vips_image_get_width(const VipsImage *);
extern int vips_image_get_height(const VipsImage *);
extern void g_object_unref(void *);
extern void g_free(void *);
enum { SEQUENTIAL = 1, FAIL_ON_ERROR = 2, GREY = 1, SRGB = 22, SUBSAMPLE_ON = 1, KEEP_NONE = 0, CENTRE = 1, SIZE_BOTH = 0, END = 0 };

static void must(int failed, const char *what) {
  if (failed) {
    fprintf(stderr, "limit: %s failed\n", what);
    _exit(1);
  }
}

static size_t save(VipsImage *image) {
  void *bytes;
  size_t length;
  must(vips_jpegsave_buffer(image, &bytes, &length, "Q", 92, "subsample_mode", SUBSAMPLE_ON, "keep", KEEP_NONE, (void *)END), "jpegsave");
  g_free(bytes);
  return length;
}

/* What the photo report is made of, with the library's own operations: brightness, edges, and a small picture to hash. */
static void measure(VipsImage *photo) {
  VipsImage *grey, *pixels, *brightness, *edges, *steepness, *small, *tiny;
  must(vips_colourspace(photo, &grey, GREY, (void *)END), "grey");
  pixels = vips_image_copy_memory(grey);
  must(pixels == NULL, "grey");
  must(vips_hist_find(pixels, &brightness, (void *)END), "brightness");
  must(vips_sobel(pixels, &edges, (void *)END), "edges");
  must(vips_hist_find(edges, &steepness, (void *)END), "steepness");
  must(vips_resize(pixels, &small, 32.0 / vips_image_get_width(pixels), "vscale", 32.0 / vips_image_get_height(pixels), (void *)END), "hash");
  tiny = vips_image_copy_memory(small);
  must(tiny == NULL, "hash");
  VipsImage *all[] = {tiny, small, steepness, edges, brightness, pixels, grey};
  for (int i = 0; i < 7; i++) g_object_unref(all[i]);
}

static size_t make(const char *file, int longest_side, int thumbnail_side) {
  FILE *input = fopen(file, "rb");
  must(input == NULL, file);
  fseek(input, 0, SEEK_END);
  size_t length = ftell(input);
  rewind(input);
  void *bytes = malloc(length);
  must(fread(bytes, 1, length, input) != length, file);
  fclose(input);

  VipsImage *probe, *source, *resized, *srgb, *memory, *upright, *thumbnail;
  must(vips_jpegload_buffer(bytes, length, &probe, (void *)END), "header");
  int width = vips_image_get_width(probe), height = vips_image_get_height(probe), shrink = 1;
  int longest = width > height ? width : height;
  g_object_unref(probe);
  while (shrink < 8 && longest / (shrink * 2) >= longest_side) shrink *= 2;
  must(vips_jpegload_buffer(bytes, length, &source, "shrink", shrink, "access", SEQUENTIAL, "fail_on", FAIL_ON_ERROR, (void *)END), "jpegload");
  width = vips_image_get_width(source);
  height = vips_image_get_height(source);
  longest = width > height ? width : height;
  double scale = longest > longest_side ? (double)longest_side / longest : 1;
  must(vips_resize(source, &resized, scale, (void *)END), "resize");
  must(vips_colourspace(resized, &srgb, SRGB, (void *)END), "colourspace");
  memory = vips_image_copy_memory(srgb);
  must(memory == NULL, "decode");
  must(vips_autorot(memory, &upright, (void *)END), "autorot");
  size_t made = save(upright);
  must(vips_thumbnail_image(upright, &thumbnail, thumbnail_side, "height", thumbnail_side, "crop", CENTRE, "size", SIZE_BOTH, (void *)END), "thumbnail");
  made += save(thumbnail);
  measure(upright);
  g_object_unref(thumbnail);
  g_object_unref(upright);
  g_object_unref(memory);
  g_object_unref(srgb);
  g_object_unref(resized);
  g_object_unref(source);
  free(bytes);
  return made;
}

int main(int count, char **files) {
  enum { WORKERS = 2 };
  struct timeval start, end;
  gettimeofday(&start, NULL);
  for (int worker = 0; worker < WORKERS; worker++) {
    if (fork() == 0) {
      must(vips_init("limit"), "vips_init");
      vips_cache_set_max(0);
      vips_concurrency_set(1);
      for (int i = 1 + worker; i < count; i += WORKERS) must(make(files[i], 1536, 200) == 0, "making");
      _exit(0);
    }
  }
  int status, failed = 0;
  for (int worker = 0; worker < WORKERS; worker++) {
    wait(&status);
    failed |= status;
  }
  gettimeofday(&end, NULL);
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  printf("{\"cpu\":%.3f,\"wall\":%.3f}\n",
         used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
         end.tv_sec - start.tv_sec + (end.tv_usec - start.tv_usec) / 1e6);
  return failed ? 1 : 0;
}
