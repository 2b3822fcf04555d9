/* A simulated appliance: a network, engines, a limit of sessions and a pace of opening.
 *
 * Nothing queues here: each engine has a time at which it is free, a call books the one that
 * is free first and sleeps until its answer would arrive. So the order is that of arrival, a
 * late wake-up does not keep an engine busy, several processes share the engines, and a
 * killed one leaves nothing locked. The inner module computes within the booked time.
 */
#define _GNU_SOURCE
#include <math.h>
#include <sys/prctl.h>
#include <time.h>

#include "faulty.h"

enum { SECOND = 1000000000 };

uint64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void sleep_until(uint64_t time)
{
    static _Thread_local bool precise;
    if (!precise) /* the kernel's default lets a thread oversleep by 50 us */
        precise = prctl(PR_SET_TIMERSLACK, 1) == 0;
    struct timespec at = {(time_t)(time / SECOND), (long)(time % SECOND)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

static uint64_t jitter(const struct settings *settings)
{
    double chance = (double)((draw() >> 11) + 1) * 0x1p-53; /* over 0, at most 1 */
    double times = settings->uniform ? chance : -log(chance);
    return settings->jitter ? (uint64_t)(times * (double)settings->jitter) : 0;
}

static number *first_free(struct slot *slot)
{
    number *first = slot->state.engine_free;
    for (uint64_t i = 1; i < slot->settings.engines && i < MAX_ENGINES; i++)
        if (slot->state.engine_free[i] < *first)
            first = &slot->state.engine_free[i];
    return first;
}

/* Returns when the engine is done with what arrives now or later. */
static uint64_t book(struct slot *slot, uint64_t arrival)
{
    if (slot->settings.engines == 0)
        return arrival + slot->settings.service;
    for (;;) {
        number *engine = first_free(slot);
        uint64_t free = *engine;
        uint64_t done = (free > arrival ? free : arrival) + slot->settings.service;
        if (atomic_compare_exchange_weak(engine, &free, done))
            return done;
    }
}

uint64_t appliance_reply_time(unsigned number, bool engine)
{
    struct slot *slot = &control->slots[number];
    if (!engine && !slot->settings.everywhere)
        return 0;
    uint64_t network = slot->settings.network + jitter(&slot->settings);
    if (network == 0 && slot->settings.service == 0)
        return 0;
    uint64_t arrival = monotonic() + network / 2;
    return (engine ? book(slot, arrival) : arrival) + network - network / 2;
}

/* A full second's worth of opens may come at once, then one after the other in step. */
static bool in_pace(struct slot *slot)
{
    uint64_t rate = slot->settings.opens_per_second, next = slot->state.next_open;
    while (rate) {
        uint64_t now = monotonic();
        uint64_t later = (next > now ? next : now) + SECOND / rate;
        if (later > now + SECOND)
            return false;
        if (atomic_compare_exchange_weak(&slot->state.next_open, &next, later))
            return true;
    }
    return true;
}

CK_RV appliance_admit(unsigned number)
{
    struct slot *slot = &control->slots[number];
    if (!in_pace(slot))
        return CKR_FUNCTION_FAILED;
    uint64_t limit = slot->settings.session_limit, open = slot->state.open_sessions;
    while (limit == 0 || open < limit)
        if (atomic_compare_exchange_weak(&slot->state.open_sessions, &open, open + 1))
            return CKR_OK;
    return CKR_SESSION_COUNT;
}

void appliance_leave(unsigned number)
{
    struct slot *slot = &control->slots[number];
    uint64_t open = slot->state.open_sessions;
    while (open && !atomic_compare_exchange_weak(&slot->state.open_sessions, &open, open - 1))
        ;
}
