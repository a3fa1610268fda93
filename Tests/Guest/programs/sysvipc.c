// Shared memory, semaphores and message queues of System V as Linux has them. All keys are private or random, and all
// objects are removed: natively it is not alone.
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
  struct seminfo *__buf;
};
struct message {
  long type;
  char text[64];
};

static key_t own_key(int n) { return 0x5afe0000 + ((int)getpid() & 0xff) * 256 + n; }

static int wait_status(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static unsigned long attached(int id) {
  struct shmid_ds ds;
  return shmctl(id, IPC_STAT, &ds) == 0 ? (unsigned long)ds.shm_nattch : 999;
}

static void segments(void) {
  key_t key = own_key(1);
  CHECK_ERRNO(shmget(key, 4096, 0600), ENOENT);
  CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
  CHECK_ERRNO(shmget(IPC_PRIVATE, (size_t)-1, 0600), EINVAL);
  int id = shmget(key, 10000, IPC_CREAT | 0640);
  CHECK(id >= 0);
  CHECK(shmget(key, 10000, 0600) == id && shmget(key, 1, 0) == id && shmget(key, 0, 0) == id);
  CHECK_ERRNO(shmget(key, 10001, 0600), EINVAL);
  CHECK_ERRNO(shmget(key, 100, IPC_CREAT | IPC_EXCL), EEXIST);

  struct shmid_ds ds;
  CHECK(shmctl(id, IPC_STAT, &ds) == 0);
  CHECK(ds.shm_segsz == 10000 && ds.shm_nattch == 0 && ds.shm_cpid == getpid() && ds.shm_lpid == 0);
  CHECK(ds.shm_perm.mode == 0640 && ds.shm_perm.uid == geteuid() && ds.shm_perm.cgid == getegid());
  CHECK(ds.shm_atime == 0 && ds.shm_dtime == 0 && ds.shm_ctime != 0);

  CHECK_ERRNO(shmat(-1, NULL, 0), EINVAL);
  CHECK_ERRNO(shmat(id, (void *)1, 0), EINVAL);
  CHECK_ERRNO(shmat(id, NULL, SHM_REMAP), EINVAL);
  char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, SHM_RDONLY);
  CHECK(first != (void *)-1 && second != (void *)-1 && first != second);
  CHECK(first[0] == 0 && first[9999] == 0);
  strcpy(first + 9000, "shared");
  CHECK(strcmp(second + 9000, "shared") == 0);
  CHECK_ERRNO(mprotect(second, 4096, PROT_READ | PROT_WRITE), EACCES);
  CHECK_EQ(attached(id), 2);
  char line[512] = "", expected[64], called[64];
  FILE *maps = fopen("/proc/self/maps", "r");
  int named = 0;
  snprintf(expected, sizeof expected, "00:01 %d ", id);
  snprintf(called, sizeof called, "/SYSV%08x (deleted)\n", (unsigned)key);
  while (maps && fgets(line, sizeof line, maps)) {
    char *name = strstr(line, "/SYSV");
    named += name && !strcmp(name, called) && strstr(line, expected) && strstr(line, "s 00000000 ");
  }
  if (maps) fclose(maps);
  CHECK_EQ(named, 2);
  CHECK_ERRNO(shmat(id, first, 0), EINVAL);
  CHECK(shmat(id, second + 77, SHM_RND | SHM_REMAP) == second);
  CHECK_EQ(attached(id), 2);
  second[1] = 'x';
  CHECK(first[1] == 'x');
  // What is split counts twice, as each part is an area.
  CHECK(mprotect(first + 4096, 4096, PROT_READ) == 0);
  CHECK_EQ(attached(id), 4);
  CHECK(munmap(first + 4096, 4096) == 0);
  CHECK_EQ(attached(id), 3);
  CHECK(shmdt(first) == 0);
  CHECK_EQ(attached(id), 1);
  CHECK_ERRNO(shmdt(first), EINVAL);
  CHECK_ERRNO(shmdt(second + 4096), EINVAL);
  CHECK_ERRNO(shmdt((void *)1), EINVAL);
  CHECK(second[1] == 'x' && strcmp(second + 9000, "shared") == 0);

  // fork doubles, exit and exec give back.
  pid_t pid = fork();
  if (pid == 0) {
    second[2] = (char)('0' + attached(id));
    _exit(0);
  }
  CHECK(wait_status(pid) == 0 && second[2] == '2');
  CHECK_EQ(attached(id), 1);
  CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_lpid == pid && ds.shm_dtime != 0 && ds.shm_atime != 0);

  CHECK(shmctl(id, SHM_LOCK, NULL) == 0 && shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_perm.mode == (0640 | SHM_LOCKED));
  CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
  ds.shm_perm.mode = 0606;
  ds.shm_perm.uid = 1234;
  ds.shm_perm.gid = 4321;
  CHECK(shmctl(id, IPC_SET, &ds) == 0 && shmctl(id, IPC_STAT, &ds) == 0);
  CHECK(ds.shm_perm.mode == 0606 && ds.shm_perm.uid == 1234 && ds.shm_perm.gid == 4321 && ds.shm_perm.cuid == 0);
  ds.shm_perm.uid = (uid_t)-1;
  CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EINVAL);
  CHECK_ERRNO(shmctl(id, IPC_SET, (void *)8), EFAULT);
  CHECK_ERRNO(shmctl(id, IPC_STAT, (void *)8), EFAULT);
  CHECK_ERRNO(shmctl(id, 77, &ds), EINVAL);
  CHECK_ERRNO(shmctl(id + 32768, IPC_STAT, &ds), EINVAL);

  // Removed, it lives as long as it is mapped, and no key finds it.
  CHECK(shmctl(id, IPC_RMID, NULL) == 0);
  CHECK_ERRNO(shmget(key, 1, 0), ENOENT);
  CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_perm.mode == (0606 | SHM_DEST) && ds.shm_nattch == 1);
  char *third = shmat(id, NULL, 0);
  CHECK(third != (void *)-1 && third[1] == 'x' && third[2] == '2');
  CHECK(shmdt(second) == 0 && shmdt(third) == 0);
  CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
  CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);

  struct shminfo limits;
  CHECK(shmctl(0, IPC_INFO, (void *)&limits) >= 0 && limits.shmmin == 1 && limits.shmmni == 4096 && limits.shmseg == 4096);
  id = shmget(IPC_PRIVATE, 20000, 0600);
  struct shm_info info;
  int highest = shmctl(0, SHM_INFO, (void *)&info);
  CHECK(highest >= 0 && info.used_ids >= 1 && info.shm_tot >= 5);
  int found = 0;
  for (int i = 0; i <= highest; i++) found += shmctl(i, SHM_STAT, &ds) == id && ds.shm_segsz == 20000;
  for (int i = 0; i <= highest; i++) found += shmctl(i, SHM_STAT_ANY, &ds) == id && ds.shm_segsz == 20000;
  CHECK_EQ(found, 2);
  CHECK_ERRNO(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600), ENOMEM);
  // A futex in it is one in every process that maps it.
  int *word = shmat(id, NULL, 0);
  pid = fork();
  if (pid == 0) {
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0) syscall(SYS_futex, word, 0, 0, NULL);
    _exit(7);
  }
  __atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, word, 1, 1);
  CHECK_EQ(wait_status(pid), 7 << 8);
  CHECK(shmdt(word) == 0 && shmctl(id, IPC_RMID, NULL) == 0);

  // The end of the memory takes all that was mapped.
  id = shmget(IPC_PRIVATE, 4096, 0600);
  pid = fork();
  if (pid == 0) {
    shmat(id, NULL, 0);
    shmat(id, NULL, 0);
    if (attached(id) != 2) _exit(1);
    execl("/proc/self/exe", "sysvipc", "exit", NULL);
    _exit(2);
  }
  CHECK_EQ(wait_status(pid), 42 << 8);
  CHECK_EQ(attached(id), 0);
  CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void permissions(void) {
  int shm = shmget(own_key(2), 100, IPC_CREAT | 0640), sem = semget(own_key(2), 1, IPC_CREAT | 0644);
  int msg = msgget(own_key(2), IPC_CREAT | 0622);
  pid_t pid = fork();
  if (pid == 0) {
    setgid(500);
    setuid(500);
    struct shmid_ds ds;
    struct msqid_ds ms;
    struct message m = {1, "x"};
    CHECK_ERRNO(shmget(own_key(2) - 0, 1, 0600), ENOENT);
    CHECK_ERRNO(shmat(shm, NULL, SHM_RDONLY), EACCES);
    CHECK_ERRNO(shmctl(shm, IPC_STAT, &ds), EACCES);
    CHECK_ERRNO(shmctl(shm, IPC_RMID, NULL), EPERM);
    CHECK_ERRNO(shmctl(shm, SHM_LOCK, NULL), EPERM);
    CHECK(semctl(sem, 0, GETVAL) == 0);
    CHECK_ERRNO(semctl(sem, 0, SETVAL, (union semun){.val = 1}), EACCES);
    struct sembuf up = {0, 1, 0}, zero = {0, 0, 0};
    CHECK_ERRNO(semop(sem, &up, 1), EACCES);
    CHECK(semop(sem, &zero, 1) == 0);
    CHECK_ERRNO(semctl(sem, 0, IPC_RMID), EPERM);
    CHECK(msgsnd(msg, &m, 1, 0) == 0);
    CHECK_ERRNO(msgrcv(msg, &m, 1, 0, IPC_NOWAIT), EACCES);
    CHECK_ERRNO(msgctl(msg, IPC_STAT, &ms), EACCES);
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(pid), 0);
  // The owner's group.
  struct shmid_ds ds;
  shmctl(shm, IPC_STAT, &ds);
  ds.shm_perm.gid = 700;
  CHECK(shmctl(shm, IPC_SET, &ds) == 0);
  pid = fork();
  if (pid == 0) {
    setgid(700);
    setuid(500);
    CHECK(shmat(shm, NULL, SHM_RDONLY) != (void *)-1);
    CHECK_ERRNO(shmat(shm, NULL, 0), EACCES);
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(pid), 0);
  CHECK(shmctl(shm, IPC_RMID, NULL) == 0 && semctl(sem, 0, IPC_RMID) == 0 && msgctl(msg, IPC_RMID, NULL) == 0);
}

static int sleepers(int id, int number, int command, int count) {
  // Wait until as many sleep; there is no event for it.
  for (int i = 0; i < 20000; i++) {
    if (semctl(id, number, command) == count) return 1;
    sched_yield();
    if (i > 100) usleep(500);
  }
  return 0;
}

static void on_signal(int number) { (void)number; }

static void *thread_undo(void *argument) {
  struct sembuf up = {1, 3, SEM_UNDO};
  semop(*(int *)argument, &up, 1);
  return NULL;
}

static void semaphores(void) {
  CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
  CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
  CHECK_ERRNO(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
  key_t key = own_key(3);
  int id = semget(key, 4, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(id >= 0 && semget(key, 0, 0) == id && semget(key, 4, 0600) == id);
  CHECK_ERRNO(semget(key, 5, 0), EINVAL);
  struct semid_ds ds;
  CHECK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0 && ds.sem_nsems == 4 && ds.sem_otime == 0);
  CHECK(ds.sem_perm.mode == 0600 && ds.sem_ctime != 0);

  unsigned short values[4] = {1, 2, 3, 4}, seen[4];
  CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
  CHECK(semctl(id, 0, GETALL, (union semun){.array = seen}) == 0 && memcmp(values, seen, sizeof seen) == 0);
  CHECK(semctl(id, 2, GETVAL) == 3 && semctl(id, 2, GETPID) == getpid());
  CHECK_ERRNO(semctl(id, 4, GETVAL), EINVAL);
  CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){.val = 32768}), ERANGE);
  CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
  values[0] = 40000;
  CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){.array = values}), ERANGE);
  CHECK(semctl(id, 0, SETVAL, (union semun){.val = 0}) == 0);

  struct sembuf two[2] = {{1, -2, 0}, {0, -1, IPC_NOWAIT}};
  CHECK_ERRNO(semop(id, two, 2), EAGAIN);
  CHECK(semctl(id, 1, GETVAL) == 2);
  struct sembuf several[3] = {{1, -2, 0}, {1, 0, 0}, {1, 7, 0}};
  CHECK(semop(id, several, 3) == 0 && semctl(id, 1, GETVAL) == 7);
  CHECK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0 && ds.sem_otime != 0);
  struct sembuf bad = {4, 1, 0}, big = {1, 32767, 0}, none = {0, 0, 0};
  CHECK_ERRNO(semop(id, &bad, 1), EFBIG);
  CHECK_ERRNO(semop(id, &big, 1), ERANGE);
  CHECK_ERRNO(semop(id, &none, 0), EINVAL);
  CHECK_ERRNO(semop(-1, &none, 1), EINVAL);
  static struct sembuf many[501];
  CHECK_ERRNO(semop(id, many, 501), E2BIG);
  CHECK_RAW(EFAULT, SYS_semop, id, 8, 1);
  struct timespec wrong = {0, 1000000000}, brief = {0, 20000000};
  struct sembuf down = {0, -1, 0}, up = {0, 1, 0}, undone = {0, 5, SEM_UNDO};
  CHECK_ERRNO(semtimedop(id, &down, 1, &wrong), EINVAL);
  CHECK_ERRNO(semtimedop(id, &down, 1, &brief), EAGAIN);

  // Who sleeps is served in the order of coming, all operations at once.
  pid_t pid = fork();
  if (pid == 0) {
    struct sembuf both[2] = {{0, -2, 0}, {1, -1, 0}};
    _exit(semop(id, both, 2) != 0);
  }
  CHECK(sleepers(id, 0, GETNCNT, 1) && semctl(id, 0, GETZCNT) == 0);
  CHECK(semop(id, &up, 1) == 0 && semctl(id, 0, GETVAL) == 1);
  CHECK(semop(id, &up, 1) == 0 && semctl(id, 0, GETVAL) == 0 && semctl(id, 1, GETVAL) == 6);
  CHECK_EQ(wait_status(pid), 0);
  CHECK_EQ(semctl(id, 0, GETPID), pid);
  // Waiting for zero.
  CHECK(semctl(id, 0, SETVAL, (union semun){.val = 1}) == 0);
  pid = fork();
  if (pid == 0) _exit(semop(id, &none, 1) != 0);
  CHECK(sleepers(id, 0, GETZCNT, 1) && semctl(id, 0, GETNCNT) == 0);
  CHECK(semop(id, &down, 1) == 0);
  CHECK_EQ(wait_status(pid), 0);

  // A signal ends the sleep even with SA_RESTART.
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pid = fork();
  if (pid == 0) _exit(semop(id, &down, 1) == -1 && errno == EINTR ? 3 : 4);
  CHECK(sleepers(id, 0, GETNCNT, 1));
  kill(pid, SIGUSR1);
  CHECK_EQ(wait_status(pid), 3 << 8);
  CHECK_EQ(semctl(id, 0, GETNCNT), 0);

  // What a process did with SEM_UNDO goes with it; threads of a process have one list.
  pid = fork();
  if (pid == 0) {
    if (semop(id, &undone, 1) != 0 || semctl(id, 0, GETVAL) != 5) _exit(1);
    struct sembuf partly = {0, -2, SEM_UNDO};
    semop(id, &partly, 1);
    semop(id, &up, 1);
    pthread_t thread;
    pthread_create(&thread, NULL, thread_undo, &id);
    pthread_join(thread, NULL);
    if (semctl(id, 1, GETVAL) != 9) _exit(2);
    // A child has none of it.
    pid_t child = fork();
    if (child == 0) _exit(0);
    wait_status(child);
    _exit(semctl(id, 0, GETVAL) == 4 ? 0 : 3);
  }
  CHECK_EQ(wait_status(pid), 0);
  CHECK(semctl(id, 0, GETVAL) == 1 && semctl(id, 1, GETVAL) == 6);
  // SETVAL forgets what was to be undone.
  pid = fork();
  if (pid == 0) {
    semop(id, &undone, 1);
    semctl(id, 0, SETVAL, (union semun){.val = 2});
    _exit(0);
  }
  CHECK_EQ(wait_status(pid), 0);
  CHECK_EQ(semctl(id, 0, GETVAL), 2);
  // An end of a process may wake who waits.
  pid = fork();
  if (pid == 0) {
    struct sembuf take = {0, -2, SEM_UNDO};
    semop(id, &take, 1);
    sleepers(id, 0, GETNCNT, 1);
    raise(SIGKILL);
  }
  while (semctl(id, 0, GETVAL) != 0) usleep(1000);
  CHECK(semop(id, &down, 1) == 0);
  CHECK_EQ(wait_status(pid), SIGKILL);
  CHECK_EQ(semctl(id, 0, GETVAL), 1);

  struct seminfo limits, usage;
  CHECK(semctl(0, 0, IPC_INFO, (union semun){.__buf = &limits}) >= 0);
  CHECK(limits.semmni == 32000 && limits.semmsl == 32000 && limits.semmns == 1024000000 && limits.semopm == 500);
  CHECK(limits.semvmx == 32767 && limits.semaem == 32767 && limits.semusz == 20 && limits.semmnu == 1024000000);
  int highest = semctl(0, 0, SEM_INFO, (union semun){.__buf = &usage});
  CHECK(highest >= 0 && usage.semusz >= 1 && usage.semaem >= 4);
  int found = 0;
  for (int i = 0; i <= highest; i++) found += semctl(i, 0, SEM_STAT, (union semun){.buf = &ds}) == id;
  CHECK_EQ(found, 1);

  // The set's end wakes who sleeps.
  pid = fork();
  if (pid == 0) {
    struct sembuf much = {0, -9, 0};
    _exit(semop(id, &much, 1) == -1 && errno == EIDRM ? 5 : 6);
  }
  CHECK(sleepers(id, 0, GETNCNT, 1));
  CHECK(semctl(id, 0, IPC_RMID) == 0);
  CHECK_EQ(wait_status(pid), 5 << 8);
  CHECK_ERRNO(semop(id, &up, 1), EINVAL);
}

static void messages(void) {
  key_t key = own_key(4);
  CHECK_ERRNO(msgget(key, 0), ENOENT);
  int id = msgget(key, IPC_CREAT | 0600);
  CHECK(id >= 0 && msgget(key, 0600) == id);
  CHECK_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
  struct msqid_ds ds;
  CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 0 && ds.msg_qbytes == 16384 && ds.msg_lspid == 0);
  CHECK(ds.msg_stime == 0 && ds.msg_rtime == 0 && ds.msg_ctime != 0);

  struct message m = {0, "zero"}, got;
  CHECK_ERRNO(msgsnd(id, &m, 4, 0), EINVAL);
  m.type = -3;
  CHECK_ERRNO(msgsnd(id, &m, 4, 0), EINVAL);
  m.type = 1;
  CHECK_ERRNO(msgsnd(id, &m, (size_t)-1, 0), EINVAL);
  static char large[16384];
  *(long *)large = 1;
  CHECK_ERRNO(msgsnd(id, large, 8193, 0), EINVAL);
  CHECK_RAW(EFAULT, SYS_msgsnd, id, 8, 1, 0);
  CHECK_ERRNO(msgsnd(-1, &m, 1, 0), EINVAL);
  CHECK_ERRNO(msgrcv(id, &got, 10, 0, IPC_NOWAIT), ENOMSG);
  CHECK_ERRNO(msgrcv(id, &got, (size_t)-1, 0, IPC_NOWAIT), EINVAL);
  const long types[] = {5, 2, 9, 2, 5};
  for (int i = 0; i < 5; i++) {
    m.type = types[i];
    snprintf(m.text, sizeof m.text, "message %d", i);
    CHECK(msgsnd(id, &m, strlen(m.text) + 1, IPC_NOWAIT) == 0);
  }
  CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 5 && ds.msg_lspid == getpid() && ds.msg_stime != 0);
  CHECK_EQ(ds.msg_cbytes, 50);
  CHECK_ERRNO(msgrcv(id, &got, 4, 0, 0), E2BIG);
  CHECK(msgrcv(id, &got, 64, -4, 0) == 10 && got.type == 2 && strcmp(got.text, "message 1") == 0);
  CHECK(msgrcv(id, &got, 64, 5, MSG_EXCEPT) == 10 && got.type == 9 && strcmp(got.text, "message 2") == 0);
  CHECK(msgrcv(id, &got, 3, 5, MSG_NOERROR) == 3 && got.type == 5 && memcmp(got.text, "mes", 3) == 0);
  CHECK(msgrcv(id, &got, 64, 0, 0) == 10 && got.type == 2 && strcmp(got.text, "message 3") == 0);
  CHECK_ERRNO(msgrcv(id, &got, 64, -1, IPC_NOWAIT), ENOMSG);
  CHECK(msgrcv(id, &got, 64, 5, IPC_NOWAIT) == 10);
  CHECK_ERRNO(msgrcv(id, &got, 64, 0, MSG_COPY), EINVAL);
  m.type = 1;
  CHECK(msgsnd(id, &m, 0, 0) == 0 && msgrcv(id, &got, 0, 0, 0) == 0 && got.type == 1);

  // Full, and with room again.
  ds.msg_qbytes = 16;
  CHECK(msgctl(id, IPC_SET, &ds) == 0);
  CHECK(msgsnd(id, &m, 10, 0) == 0);
  CHECK_ERRNO(msgsnd(id, &m, 10, IPC_NOWAIT), EAGAIN);
  pid_t pid = fork();
  if (pid == 0) {
    strcpy(m.text, "late");
    _exit(msgsnd(id, &m, 10, 0) != 0);
  }
  usleep(20000);
  CHECK(msgrcv(id, &got, 64, 0, 0) == 10);
  CHECK(msgrcv(id, &got, 64, 0, 0) == 10 && strcmp(got.text, "late") == 0);
  CHECK_EQ(wait_status(pid), 0);
  CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_lspid == pid && ds.msg_lrpid == getpid() && ds.msg_cbytes == 0);

  // A signal, the queue's end, and a message for another type do not count as a message.
  pid = fork();
  if (pid == 0) _exit(msgrcv(id, &got, 64, 7, 0) == -1 && errno == EINTR ? 3 : 4);
  usleep(20000);
  m.type = 6;
  CHECK(msgsnd(id, &m, 1, 0) == 0);
  usleep(20000);
  kill(pid, SIGUSR1);
  CHECK_EQ(wait_status(pid), 3 << 8);
  pid = fork();
  if (pid == 0) _exit(msgrcv(id, &got, 64, 7, 0) == -1 && errno == EIDRM ? 3 : 4);
  usleep(20000);
  struct msginfo limits, usage;
  CHECK(msgctl(0, IPC_INFO, (void *)&limits) >= 0 && limits.msgmax == 8192 && limits.msgmnb == 16384);
  CHECK(limits.msgmni == 32000 && limits.msgssz == 16 && limits.msgseg == 0xffff && limits.msgpool == 512000);
  int highest = msgctl(0, MSG_INFO, (void *)&usage);
  CHECK(highest >= 0 && usage.msgpool >= 1 && usage.msgmap >= 1 && usage.msgtql >= 1);
  CHECK(msgctl(id, IPC_RMID, NULL) == 0);
  CHECK_EQ(wait_status(pid), 3 << 8);
  CHECK_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
  CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EINVAL);
}

static int row(const char *file, int id, char *header, char *line, size_t size) {
  FILE *stream = fopen(file, "r");
  if (!stream || !fgets(header, (int)size, stream)) return 0;
  int key, number, found = 0;
  while (!found && fgets(line, (int)size, stream)) found = sscanf(line, "%d %d", &key, &number) == 2 && number == id;
  fclose(stream);
  return found;
}

static void reports(void) {
  char header[256], line[256];
  int id = shmget(own_key(5), 12345, IPC_CREAT | 0612);
  CHECK(row("/proc/sysvipc/shm", id, header, line, sizeof line));
  say("%.*s", (int)strcspn(header, "\n"), header);
  unsigned long size, attaches;
  unsigned mode, uid;
  int key, number, creator, last;
  CHECK(sscanf(line, "%d %d %o %lu %d %d %lu %u", &key, &number, &mode, &size, &creator, &last, &attaches, &uid) == 8);
  CHECK(key == own_key(5) && mode == 0612 && size == 12345 && creator == getpid() && last == 0 && attaches == 0);
  CHECK_EQ(strlen(line), strlen(header));
  shmctl(id, IPC_RMID, NULL);
  id = semget(IPC_PRIVATE, 3, 0600);
  CHECK(row("/proc/sysvipc/sem", id, header, line, sizeof line));
  say("%.*s", (int)strcspn(header, "\n"), header);
  CHECK(sscanf(line, "%d %d %o %lu", &key, &number, &mode, &size) == 4 && key == 0 && mode == 0600 && size == 3);
  CHECK_EQ(strlen(line), strlen(header));
  semctl(id, 0, IPC_RMID);
  id = msgget(IPC_PRIVATE, 0600);
  CHECK(row("/proc/sysvipc/msg", id, header, line, sizeof line));
  say("%.*s", (int)strcspn(header, "\n"), header);
  CHECK_EQ(strlen(line), strlen(header));
  msgctl(id, IPC_RMID, NULL);
  static const char *const limits[] = {"shmmni", "msgmax", "msgmnb", "msgmni", "sem"};
  for (int i = 0; i < 5; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/sys/kernel/%s", limits[i]);
    FILE *stream = fopen(path, "r");
    CHECK(stream && fgets(line, sizeof line, stream));
    say("%s %.*s", limits[i], (int)strcspn(line, "\n"), line);
    if (stream) fclose(stream);
  }
}

int main(int argc, char **argv) {
  if (argc > 1) return strcmp(argv[1], "exit") == 0 ? 42 : 41;
  segments();
  permissions();
  semaphores();
  messages();
  reports();
  CHECK_END();
}
