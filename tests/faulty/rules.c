/* Decides which rules a call meets, and waits for those that hang. */
#include "faulty.h"

enum { PATIENCE = 1000000 }; /* how soon a blocked call notices its release: 1 ms */

/* SplitMix64 over a shared count: the same calls in the same order draw the same numbers. */
uint64_t draw(void)
{
    uint64_t z = (control->draws++ + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static bool concerns(const struct rule *rule, enum function function, unsigned slot)
{
    return (rule->function == function || rule->function == ANY_FUNCTION) &&
           rule->slots >> slot & 1;
}

static bool hits(struct rule *rule)
{
    if (++rule->seen % rule->every != 0 || draw() >> 32 >= rule->probability)
        return false;
    uint64_t hits = rule->hits;
    while (rule->times == 0 || hits < rule->times)
        if (atomic_compare_exchange_weak(&rule->hits, &hits, hits + 1))
            return true;
    return false;
}

static void hang(const struct rule *rule, uint64_t ticket, uint64_t how_long)
{
    uint64_t end = how_long == UNTIL_RELEASED ? UINT64_MAX : monotonic() + how_long;
    for (uint64_t now = monotonic(); rule->ticket == ticket && now < end; now = monotonic())
        sleep_until(end - now < PATIENCE ? end : now + PATIENCE);
}

/* Every rule counts the call, the first that it meets is done. */
struct fault rules_apply(enum function function, unsigned slot)
{
    const struct rule *met = NULL;
    uint64_t ticket = 0;
    for (struct rule *rule = control->rules; rule < control->rules + MAX_RULES; rule++) {
        uint64_t armed = rule->ticket;
        if (armed && concerns(rule, function, slot) && hits(rule) && !met) {
            met = rule;
            ticket = armed;
        }
    }
    if (!met)
        return (struct fault){0};
    control->slots[slot].counters.faults[function]++;
    struct fault fault = {met->code, met->dirty, met->damage};
    if (met->hang)
        hang(met, ticket, met->hang);
    return fault;
}
