# cython: language_level=3, boundscheck=False, wraparound=False
"""The hand-over, compiled: sessions' threads take jobs and call the token without the GIL.

What it does is told in ``desk``, ``job`` and ``seat``; ``plain`` is its twin. A caller that
is let go finds the answers in memory of its job. Nothing here takes the GIL while it holds
the mutex, and the mutex is held for a few instructions, never during a call of the token.

A job belongs to the desk from ``submit`` until its caller has seen the end or left: the desk
keeps one reference meanwhile. A caller who leaves while a session is at work on its job
leaves that reference to the session's thread.
"""

from collections import deque
from sys import intern

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.time cimport time_t

from signer.errors import HsmUnavailableError
from signer.hsm.cryptoki import SIGNATURE_ROOM
from signer.hsm.desk import Desk, refusal, too_long, too_many
from signer.hsm.errors import TokenError
from signer.hsm.job import TRIES, TURN_SECONDS, Job
from signer.hsm.line import BULK_TURN, Priority
from signer.hsm.seat import Fault


cdef extern from "time.h" nogil:
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *time)


cdef extern from "sched.h" nogil:
    int sched_yield()


cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef struct pthread_condattr_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *, void *)
    int pthread_mutex_destroy(pthread_mutex_t *)
    int pthread_mutex_lock(pthread_mutex_t *)
    int pthread_mutex_unlock(pthread_mutex_t *)
    int pthread_condattr_init(pthread_condattr_t *)
    int pthread_condattr_setclock(pthread_condattr_t *, int)
    int pthread_cond_init(pthread_cond_t *, pthread_condattr_t *)
    int pthread_cond_destroy(pthread_cond_t *)
    int pthread_cond_signal(pthread_cond_t *)
    int pthread_cond_broadcast(pthread_cond_t *)
    int pthread_cond_timedwait(pthread_cond_t *, pthread_mutex_t *, timespec *)


# PKCS#11 v2.40, section 5.11.
ctypedef unsigned long (*SignInit)(unsigned long, void *, unsigned long) noexcept nogil
ctypedef unsigned long (*Sign)(
    unsigned long, const char *, unsigned long, unsigned char *, unsigned long *
) noexcept nogil

cdef enum:
    ROOM = 512  # of RSA with 4,096 bits; see SIGNATURE_ROOM
    OK = 0
    GENERAL_ERROR = 5
    LINES = 3
    ERRANDS = 2  # the line of jobs for one slot; the others are numbered by Priority
    NOWHERE = -1
    TURN = 8
    LEFT = 32  # seats that are remembered, for answers that came before a session ended

if ROOM != SIGNATURE_ROOM or TURN != BULK_TURN or LINES != len(Priority) + 1:
    raise ImportError("signer.hsm.compiled was built for another version")

cdef double OLD_SHARE = 0.9  # of the moving average, for each operation
cdef double TURN_LENGTH = TURN_SECONDS
cdef double STEP_ASIDE_SECONDS = 0.001  # how long a slot leaves what it failed to others

cdef pthread_condattr_t monotonic
pthread_condattr_init(&monotonic)
pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC)


cdef double clock() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef int sleep_until(pthread_cond_t *cond, pthread_mutex_t *mutex, double until) noexcept nogil:
    cdef timespec end
    end.tv_sec = <time_t>until
    end.tv_nsec = <long>((until - end.tv_sec) * 1e9)
    return pthread_cond_timedwait(cond, mutex, &end)


cdef struct Operation:
    void *mechanism
    Py_ssize_t key  # which of the session's handles
    const char *data
    unsigned long size
    double deadline
    double began
    double ended
    int64_t seat  # that made the signature; 0 while there is none
    bint late
    unsigned long length
    unsigned char signature[ROOM]


cdef struct Work:
    PyObject *owner
    PyObject *only  # an errand's slot
    PyObject *avoided
    double avoided_until
    double deadline
    double queued
    Work *before
    Work *after
    int line
    int home  # where it goes when it gives way
    Operation *operations
    Py_ssize_t count
    Py_ssize_t place
    int failures
    bint working  # a call is under way for the one in place
    bint taken  # a session has it
    bint stopped
    bint ended
    bint held  # the desk has a reference
    bint orphan  # its caller has left
    pthread_cond_t done


cdef struct Line:
    Work *first
    Work *last
    Py_ssize_t size


cdef struct Chair:
    unsigned long session
    SignInit sign_init
    Sign sign
    unsigned long *handles
    const int64_t *gate
    int64_t generation
    int64_t number
    PyObject *slot  # its name
    double stuck
    double busy_since
    double used
    bint halted


cdef bint usable(const Chair *chair) noexcept nogil:
    return not chair.halted and chair.gate[0] == chair.generation


cdef class Seat:
    """See ``signer.hsm.seat``."""

    cdef Chair chair
    cdef object name
    cdef int64_t[::1] gate
    cdef readonly object session
    cdef readonly object slot

    def __cinit__(self, session, slot, double stuck_seconds, int64_t number):
        cdef Py_ssize_t place
        handles = session.handles
        self.chair.handles = <unsigned long *>calloc(len(handles) + 1, sizeof(unsigned long))
        if self.chair.handles is NULL:
            raise MemoryError
        for place, handle in enumerate(handles):
            self.chair.handles[place] = handle
        sign_init, sign = session.functions
        self.session = session
        self.slot = slot
        self.name = intern(slot.name)
        self.gate = slot.gate
        self.chair.session = session.handle
        self.chair.sign_init = <SignInit><uintptr_t>sign_init
        self.chair.sign = <Sign><uintptr_t>sign
        self.chair.gate = &self.gate[0]
        self.chair.generation = session.generation
        self.chair.number = number
        self.chair.slot = <PyObject *>self.name
        self.chair.stuck = stuck_seconds

    def __dealloc__(self):
        free(self.chair.handles)

    @property
    def is_usable(self):
        """Whether the session may take a job."""
        return bool(usable(&self.chair))

    @property
    def busy_since(self):
        """When the call began that is under way; 0 while there is none."""
        return self.chair.busy_since

    @property
    def used(self):
        """When the last call ended; 0 before the first."""
        return self.chair.used

    def halt(self):
        """Never begin anything again."""
        self.chair.halted = True


cdef class Ticket:
    """What a job is to the sessions' threads."""

    cdef Work work
    cdef Counter desk
    cdef Py_ssize_t told  # how many operations have told their items
    cdef object _avoided
    cdef object _only
    cdef readonly list items
    cdef readonly object priority
    cdef readonly int tries

    def __cinit__(self, Counter desk, list items, double now, int tries):
        cdef Py_ssize_t place
        cdef Operation *operation
        cdef double deadline = 0.0
        self.work.operations = <Operation *>calloc(len(items), sizeof(Operation))
        if self.work.operations is NULL:
            raise MemoryError
        pthread_cond_init(&self.work.done, &monotonic)
        self.desk = desk
        self.items = items
        self.tries = tries
        for place, item in enumerate(items):
            way = item.way
            operation = &self.work.operations[place]
            operation.mechanism = <void *><uintptr_t>way.mechanism
            operation.key = way.place
            operation.data = PyBytes_AS_STRING(item.data)
            operation.size = PyBytes_GET_SIZE(item.data)
            operation.deadline = item.deadline
            deadline = max(deadline, operation.deadline)
            if place == 0:
                self.priority = way.priority
        self.work.owner = <PyObject *>self
        self.work.count = len(items)
        self.work.deadline = deadline
        self.work.queued = now
        self.work.line = NOWHERE

    def __dealloc__(self):
        pthread_cond_destroy(&self.work.done)
        free(self.work.operations)

    @property
    def deadline(self):
        """The latest of its items'."""
        return self.work.deadline

    @property
    def queued(self):
        """When it was made."""
        return self.work.queued

    @property
    def place(self):
        """Which item is next or at work."""
        return self.work.place

    def avoid(self, slot, double until):
        """Leave it to others than the slot that failed it, for some time."""
        self._avoided = intern(slot)
        self.work.avoided = <PyObject *>self._avoided
        self.work.avoided_until = until

    def count_failure(self):
        """Note that a try of the item that is next has failed; returns how many have."""
        self.work.failures += 1
        return self.work.failures

    @property
    def began(self):
        """When the item that is next or at work was begun; 0 while it was not."""
        cdef Work *work = &self.work
        pthread_mutex_lock(&self.desk.mutex)
        cdef double began = 0.0
        if work.place < work.count:
            began = work.operations[work.place].began
        pthread_mutex_unlock(&self.desk.mutex)
        return began

    def wait(self, double seconds):
        """Wait for the end, or for some time; True when it ended."""
        cdef Work *work = &self.work
        cdef pthread_mutex_t *mutex = &self.desk.mutex
        cdef double until
        cdef bint ended
        with nogil:
            until = clock() + max(0.0, seconds)
            pthread_mutex_lock(mutex)
            while not work.ended and sleep_until(&work.done, mutex, until) == 0:
                pass
            ended = work.ended
            pthread_mutex_unlock(mutex)
        if ended:
            self.tell()
            self.release()
        return bool(ended)

    def finish(self):
        """Let the caller go on."""
        pthread_mutex_lock(&self.desk.mutex)
        cdef bint orphan = finish(&self.work)
        pthread_mutex_unlock(&self.desk.mutex)
        if orphan:
            self.release()

    def stop(self):
        """Begin nothing more; returns the item that is at work, if any."""
        cdef Work *work = &self.work
        pthread_mutex_lock(&self.desk.mutex)
        work.stopped = True
        cdef Py_ssize_t at_work = work.place if work.working else -1
        pthread_mutex_unlock(&self.desk.mutex)
        self.tell()
        return self.items[at_work] if at_work >= 0 else None

    def leave(self):
        """Say that nobody waits any more."""
        cdef Work *work = &self.work
        pthread_mutex_lock(&self.desk.mutex)
        self.desk.unlink(work)
        work.orphan = work.taken
        cdef bint at_work = work.taken
        pthread_mutex_unlock(&self.desk.mutex)
        if not at_work:
            self.release()

    def end_item(self):
        """Note that the item that was begun has ended, without a signature."""
        pthread_mutex_lock(&self.desk.mutex)
        self.work.failures = 0
        self.work.working = False
        self.work.place += 1
        pthread_mutex_unlock(&self.desk.mutex)

    def pause_item(self):
        """Note that nobody works on the item that was begun."""
        pthread_mutex_lock(&self.desk.mutex)
        pause(&self.work)
        pthread_mutex_unlock(&self.desk.mutex)

    cdef tell(self):
        """Give the items what is known of those that ended."""
        cdef Work *work = &self.work
        cdef Operation *operation
        pthread_mutex_lock(&self.desk.mutex)
        cdef Py_ssize_t place = work.place
        pthread_mutex_unlock(&self.desk.mutex)
        while self.told < place:
            item = self.items[self.told]
            operation = &work.operations[self.told]
            self.told += 1
            if operation.seat:
                item.began = operation.began
                item.ended = operation.ended
                item.seat = self.desk.seats.get(operation.seat)
                item.signature = PyBytes_FromStringAndSize(
                    <char *>operation.signature, operation.length
                )
            elif operation.late:
                item.fail(HsmUnavailableError("no session was free in time"))

    cdef release(self):
        if self.work.held:
            self.work.held = False
            Py_DECREF(self)


cdef bint finish(Work *work) noexcept nogil:
    """End a job, under the mutex; True when its caller has left and it is to be released."""
    work.ended = True
    work.taken = False
    pthread_cond_signal(&work.done)
    return work.orphan


cdef void pause(Work *work) noexcept nogil:
    work.working = False
    if work.place < work.count:
        work.operations[work.place].began = 0.0


cdef class Counter:
    """What a desk is to the sessions' threads."""

    cdef pthread_mutex_t mutex
    cdef pthread_cond_t work
    cdef Line lines[LINES]
    cdef Py_ssize_t depth
    cdef int turn
    cdef int asleep
    cdef int sessions
    cdef Py_ssize_t submitted
    cdef Py_ssize_t found_others
    cdef double service_seconds
    cdef double last_served
    cdef int64_t numbered
    cdef object seats  # by their numbers
    cdef object left  # the numbers of those whose sessions ended last
    cdef object reason  # why it is shut

    def __cinit__(self, Py_ssize_t depth):
        pthread_mutex_init(&self.mutex, NULL)
        pthread_cond_init(&self.work, &monotonic)
        self.depth = depth
        self.seats = {}
        self.left = deque()

    def __dealloc__(self):
        pthread_cond_destroy(&self.work)
        pthread_mutex_destroy(&self.mutex)

    def seat(self, session, slot, double stuck_seconds):
        """Make a place for a session."""
        self.numbered += 1
        seat = Seat(session, slot, stuck_seconds, self.numbered)
        self.seats[self.numbered] = seat
        return seat

    def leave(self, Seat seat not None):
        """Forget a seat before long: its session has ended."""
        self.left.append(seat.chair.number)
        if len(self.left) > LEFT:
            self.seats.pop(self.left.popleft(), None)

    def serve(self, Seat seat not None, double seconds):
        """Do jobs in the thread that owns the session, as they come."""
        cdef Work *work = NULL
        cdef unsigned long code = OK
        cdef bint began = False
        with nogil:
            pthread_mutex_lock(&self.mutex)
            while True:
                work = self.wait(&seat.chair, seat.chair.slot, clock() + seconds)
                if work is NULL or not self.do(&seat.chair, work, &code, &began):
                    break
            seat.chair.busy_since = 0.0
            pthread_mutex_unlock(&self.mutex)
        if work is NULL:
            return None
        job = <Ticket>work.owner
        job.tell()
        if code:
            return Fault(job, TokenError(code, began=bool(began)))
        self.put_back(job)
        return None

    def take(self, double seconds, slot=""):
        """Take the next job, or None after some time."""
        name = intern(slot)
        cdef PyObject *wanted = <PyObject *>name
        cdef Work *work
        with nogil:
            pthread_mutex_lock(&self.mutex)
            work = self.wait(NULL, wanted, clock() + seconds)
            pthread_mutex_unlock(&self.mutex)
        return <object>work.owner if work is not NULL else None

    @property
    def is_open(self):
        """Whether jobs are taken."""
        return self.reason is None

    @property
    def is_busy(self):
        """Whether any job waits in the line."""
        return self.lines[0].size + self.lines[1].size > 0

    def submit(self, Ticket job not None):
        """Leave a job."""
        if self.reason is not None:
            raise HsmUnavailableError(self.reason)
        cdef int priority = job.priority
        cdef Work *work = &job.work
        cdef double seconds
        cdef double heard
        cdef bint late
        cdef bint full
        pthread_mutex_lock(&self.mutex)
        cdef Py_ssize_t ahead = self.ahead(priority)
        self.submitted += 1
        self.found_others += ahead > 0
        seconds = self.service_seconds * (1 + <double>ahead / max(1, self.sessions))
        # With nobody ahead it is always tried, or one slow answer would shut out all.
        late = ahead > 0 and work.queued + seconds > work.deadline
        full = self.lines[priority].size >= self.depth
        if late or full:
            heard = self.heard(work)
        else:
            work.home = priority
            self.link(work, priority, False)
            job.work.held = True
            Py_INCREF(job)
            if self.asleep:
                pthread_cond_signal(&self.work)
        pthread_mutex_unlock(&self.mutex)
        if late or full:
            reason = too_many(ahead) if late else too_long(ahead)
            raise refusal(reason, seconds, work.queued, heard)

    def send(self, Ticket job not None, slot):
        """Leave a job for one slot."""
        if self.reason is not None:
            raise HsmUnavailableError(self.reason)
        job._only = intern(slot)
        job.work.only = <PyObject *>job._only
        pthread_mutex_lock(&self.mutex)
        job.work.home = ERRANDS
        self.link(&job.work, ERRANDS, False)
        job.work.held = True
        Py_INCREF(job)
        pthread_cond_broadcast(&self.work)
        pthread_mutex_unlock(&self.mutex)

    def put_back(self, Ticket job not None):
        """Put a job before all others."""
        if self.reason is not None:
            job.fail(HsmUnavailableError(self.reason))
            return
        cdef Work *work = &job.work
        cdef bint orphan = False
        pthread_mutex_lock(&self.mutex)
        pause(work)
        if work.stopped:
            orphan = finish(work)
        else:
            work.taken = False
            self.link(work, 0, True)
            pthread_cond_broadcast(&self.work)
        pthread_mutex_unlock(&self.mutex)
        if orphan:
            job.release()

    def withdraw(self, Ticket job not None):
        """Take a job out of the line, if it waits there."""
        pthread_mutex_lock(&self.mutex)
        self.unlink(&job.work)
        pthread_mutex_unlock(&self.mutex)

    def waiting(self):
        """Return how many jobs of each class wait."""
        return {priority.name.lower(): self.lines[<int>priority].size for priority in Priority}

    def crowded(self):
        """Return the share of jobs since the last time that found others waiting."""
        pthread_mutex_lock(&self.mutex)
        cdef double submitted = self.submitted
        cdef double found_others = self.found_others
        self.submitted = self.found_others = 0
        pthread_mutex_unlock(&self.mutex)
        return found_others / submitted if submitted else 0.0

    def deepen(self, Py_ssize_t depth):
        """Let so many jobs of each class wait from now on."""
        self.depth = depth

    def count(self, int sessions):
        """Note that so many sessions more, or fewer, are ready."""
        pthread_mutex_lock(&self.mutex)
        self.sessions += sessions
        pthread_mutex_unlock(&self.mutex)

    def served(self, double seconds, double now):
        """Note how long a job took that ended now."""
        pthread_mutex_lock(&self.mutex)
        self.note(seconds, now)
        pthread_mutex_unlock(&self.mutex)

    def shut(self, reason):
        """Refuse everything from now on, also what waits."""
        self.reason = reason
        waiting = []
        pthread_mutex_lock(&self.mutex)
        for line in range(LINES):
            while self.lines[line].first is not NULL:
                waiting.append(<object>self.lines[line].first.owner)
                self.unlink(self.lines[line].first)
        pthread_cond_broadcast(&self.work)
        pthread_mutex_unlock(&self.mutex)
        for job in waiting:
            job.fail(HsmUnavailableError(reason))

    def reopen(self):
        """Take jobs again."""
        self.reason = None

    def nudge(self):
        """Wake the threads, so that they look whether their seats are usable."""
        pthread_mutex_lock(&self.mutex)
        pthread_cond_broadcast(&self.work)
        pthread_mutex_unlock(&self.mutex)

    # What follows is done under the mutex.

    cdef Work *wait(self, const Chair *chair, PyObject *slot, double until) noexcept nogil:
        """Take the next job, or NULL after some time or where the chair is not usable."""
        cdef Work *work
        cdef double now
        cdef double again
        while chair is NULL or usable(chair):
            now = again = clock()
            work = self.next(slot, &again)
            if work is not NULL:
                return work
            if now >= until:
                break
            self.asleep += 1
            sleep_until(&self.work, &self.mutex, min(again, until) if again > now else until)
            self.asleep -= 1
        return NULL

    cdef Work *next(self, PyObject *slot, double *again) noexcept nogil:
        """Take a job out of its line; ``again`` is now, and when a look may be worth while."""
        cdef double now = again[0]
        cdef Work *work = self.lines[ERRANDS].first
        while work is not NULL and work.only != slot:
            work = work.after
        if work is NULL:
            self.turn = (self.turn + 1) % TURN
            work = self.first_of(1 if self.turn == 0 else 0, slot, again, now)
        if work is NULL:
            work = self.first_of(0 if self.turn == 0 else 1, slot, again, now)
        if work is not NULL:
            self.unlink(work)
            work.taken = True
        return work

    cdef Work *first_of(self, int line, PyObject *slot, double *again, double now) noexcept nogil:
        cdef Work *work = self.lines[line].first
        cdef Work *after
        while work is not NULL:
            after = work.after
            if work.deadline <= now:
                self.unlink(work)  # its caller knows the time as well
            elif work.avoided == slot and now < work.avoided_until:
                again[0] = now + STEP_ASIDE_SECONDS
            else:
                return work
            work = after
        return NULL

    cdef bint do(
        self, Chair *chair, Work *work, unsigned long *code, bint *began
    ) noexcept nogil:
        """Do a job; False where not all of it was done, with the code of what failed, if any."""
        cdef Operation *operation
        cdef double now = clock()
        cdef double first = now
        while work.place < work.count and not work.stopped:
            operation = &work.operations[work.place]
            if operation.deadline <= now:
                operation.late = True
                work.place += 1
                continue
            operation.began = chair.busy_since = now
            work.working = True
            pthread_mutex_unlock(&self.mutex)
            code[0] = sign(chair, operation, work.count == 1, began)
            now = clock()
            pthread_mutex_lock(&self.mutex)
            if code[0]:
                return False
            operation.ended = chair.used = now
            operation.seat = chair.number
            work.working = False
            work.failures = 0
            work.place += 1
            if now - operation.began >= chair.stuck:
                chair.halted = True
            if work.place < work.count and not usable(chair):
                return False
            if now - first >= TURN_LENGTH and self.give_way(work):
                break
        chair.busy_since = 0.0
        if not chair.halted:  # a call that was stuck says nothing about those to come
            self.note(now - first, now)
        if work.taken and finish(work):
            pthread_mutex_unlock(&self.mutex)
            with gil:
                (<Ticket>work.owner).release()
            pthread_mutex_lock(&self.mutex)
        return True

    cdef bint give_way(self, Work *work) noexcept nogil:
        """Leave what is left of a job to be done after those that wait, if there are any."""
        cdef Py_ssize_t waiting = self.lines[0].size + self.lines[1].size + self.lines[ERRANDS].size
        if work.place == work.count or work.stopped or waiting == 0:
            return False
        work.taken = False
        self.link(work, work.home, False)
        return True

    cdef Py_ssize_t ahead(self, int priority) noexcept nogil:
        """Return how many jobs would be served before a new one, about."""
        cdef Py_ssize_t urgent = self.lines[0].size
        cdef Py_ssize_t bulk = self.lines[1].size
        return urgent + (bulk if priority else min(bulk, urgent // TURN))

    cdef double heard(self, const Work *work) noexcept nogil:
        cdef const Work *oldest = self.lines[0].first
        if oldest is NULL:
            oldest = self.lines[1].first
        return max(self.last_served, work.queued if oldest is NULL else oldest.queued)

    cdef void note(self, double seconds, double now) noexcept nogil:
        cdef double old = self.service_seconds or seconds
        self.service_seconds = OLD_SHARE * old + (1 - OLD_SHARE) * seconds
        self.last_served = now

    cdef void link(self, Work *work, int number, bint first) noexcept nogil:
        cdef Line *line = &self.lines[number]
        work.line = number
        work.before = NULL if first else line.last
        work.after = line.first if first else NULL
        if work.before is NULL:
            line.first = work
        else:
            work.before.after = work
        if work.after is NULL:
            line.last = work
        else:
            work.after.before = work
        line.size += 1

    cdef void unlink(self, Work *work) noexcept nogil:
        if work.line == NOWHERE:
            return
        cdef Line *line = &self.lines[work.line]
        work.line = NOWHERE
        if work.before is NULL:
            line.first = work.after
        else:
            work.before.after = work.after
        if work.after is NULL:
            line.last = work.before
        else:
            work.after.before = work.before
        line.size -= 1


cdef unsigned long sign(
    const Chair *chair, Operation *operation, bint alone, bint *began
) noexcept nogil:
    """Call ``C_SignInit`` and ``C_Sign``; returns the code.

    One that is ``alone`` lets whoever waits for this core have it in between: mostly the commit
    of its own decision, which has written and has yet to have the disk keep it.
    """
    cdef unsigned long code = chair.sign_init(
        chair.session, operation.mechanism, chair.handles[operation.key]
    )
    began[0] = code == 0
    if code == 0:
        operation.length = ROOM
        if alone:
            sched_yield()
        code = chair.sign(
            chair.session,
            operation.data,
            operation.size,
            operation.signature,
            &operation.length,
        )
    if code == 0 and operation.length > ROOM:
        code = GENERAL_ERROR
    return code


class CompiledJob(Ticket, Job):
    """See ``Job``."""

    __slots__ = ()


class CompiledDesk(Counter, Desk):
    """See ``Desk``."""

    __slots__ = ()

    def job(self, items, now, tries=TRIES):
        """Make a job."""
        return CompiledJob(self, items, now, tries)


def new_desk(depth):
    """Make a desk in whose line so many jobs of each class may wait."""
    return CompiledDesk(depth)
