/*
 * streams serve ADDRESS: takes connections at ADDRESS (a port of 127.0.0.1, or a path), reads each
 * to its end, answers one byte and closes. Many at a time, on one thread.
 * streams push ADDRESS MEGABYTES: writes so much on one connection and waits for the answer.
 * streams call ADDRESS COUNT WIDTH: COUNT connections, WIDTH at a time; each says a byte, ends its
 * direction and waits for the answer.
 * The last two print the nanoseconds they took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PIECE (256 << 10)
static char piece[PIECE];

static void die(const char *what) {
  fprintf(stderr, "streams: %s: %s\n", what, strerror(errno));
  exit(99);
}

static socklen_t place(const char *text, struct sockaddr_storage *at) {
  memset(at, 0, sizeof *at);
  if (text[0] == '/') {
    struct sockaddr_un *un = (void *)at;
    un->sun_family = AF_UNIX;
    strncpy(un->sun_path, text, sizeof un->sun_path - 1);
    return sizeof *un;
  }
  struct sockaddr_in *in = (void *)at;
  in->sin_family = AF_INET;
  in->sin_port = htons((unsigned short)atoi(text));
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return sizeof *in;
}

static int dial(const char *text) {
  struct sockaddr_storage at;
  socklen_t size = place(text, &at);
  int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0 || connect(fd, (void *)&at, size) != 0) die(text);
  if (at.ss_family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void await_answer(int fd) {
  char answer;
  if (read(fd, &answer, 1) != 1) die("no answer");
  close(fd);
}

static void watch(int epoll, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void serve(const char *text) {
  struct sockaddr_storage at;
  socklen_t size = place(text, &at);
  int listener = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&at, size) != 0 || listen(listener, 4096) != 0) die(text);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int n = 0; n < count; n++) {
      int fd = events[n].data.fd;
      if (fd == listener) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) watch(epoll, client, EPOLLIN);
        continue;
      }
      ssize_t got = read(fd, piece, PIECE);
      if (got > 0) continue;
      if (got == 0 && write(fd, "!", 1) != 1) perror("streams: answer");
      close(fd);
    }
  }
}

static void push(const char *text, long megabytes) {
  int fd = dial(text);
  long long began = now();
  for (long long left = (long long)megabytes << 20; left > 0;) {
    ssize_t put = write(fd, piece, left < PIECE ? (size_t)left : PIECE);
    if (put < 0) die("write");
    left -= put;
  }
  shutdown(fd, SHUT_WR);
  await_answer(fd);
  printf("%lld\n", now() - began);
}

static void call(const char *text, long count, int width) {
  int *open = calloc((size_t)width, sizeof *open);
  long long began = now();
  for (long done = 0; done < count + width; done++) {
    int *slot = &open[done % width];
    if (done >= width && *slot > 0) await_answer(*slot);
    *slot = 0;
    if (done >= count) continue;
    *slot = dial(text);
    if (write(*slot, "?", 1) != 1) die("write");
    shutdown(*slot, SHUT_WR);
  }
  printf("%lld\n", now() - began);
  free(open);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(argv[2]);
  else if (argc == 4 && strcmp(argv[1], "push") == 0) push(argv[2], atol(argv[3]));
  else if (argc == 5 && strcmp(argv[1], "call") == 0) call(argv[2], atol(argv[3]), atoi(argv[4]));
  else return 98;
  return 0;
}
