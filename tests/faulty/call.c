/* What happens to every call before and after the inner module sees it. */
#include "faulty.h"

static void start(struct call *call, enum function function, unsigned slot)
{
    struct slot *at = &control->slots[slot];
    *call = (struct call){.function = function, .slot = slot};
    at->counters.calls[function]++;
    uint64_t under_way = ++at->under_way, most = at->counters.most_under_way;
    while (most < under_way &&
           !atomic_compare_exchange_weak(&at->counters.most_under_way, &most, under_way))
        ;
}

void count_fault(const struct call *call)
{
    control->slots[call->slot].counters.faults[call->function]++;
}

bool begin(struct call *call, enum function function, unsigned slot)
{
    start(call, function, slot);
    call->fault = rules_apply(function, slot);
    call->reply_at = appliance_reply_time(slot, false);
    return !call->fault.code || call->fault.dirty;
}

/* An unknown slot is counted with the first. */
bool begin_slot(struct call *call, enum function function, CK_SLOT_ID slot)
{
    bool known = slot < control->slot_count;
    bool wanted = begin(call, function, known ? (unsigned)slot : 0);
    if (!known)
        call->rv = CKR_SLOT_ID_INVALID;
    else if (!token_initialized())
        call->rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    else if (control->slots[slot].state.absent)
        call->rv = CKR_TOKEN_NOT_PRESENT;
    else
        call->rv = token_slot(&call->inner);
    return wanted && call->rv == CKR_OK;
}

static CK_RV usable(const struct call *call)
{
    CK_RV absent = control->slots[call->slot].state.absent;
    if (!token_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (absent)
        return absent;
    if (!session_alive(call->session, call->handle))
        return CKR_SESSION_HANDLE_INVALID;
    return call->traits & USER && !token_logged_in(call->slot) ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

bool begin_session(struct call *call, enum function function, CK_SESSION_HANDLE handle,
                   unsigned traits)
{
    start(call, function, session_slot(handle));
    struct counters *counters = &control->slots[call->slot].counters;
    call->traits = traits;
    call->handle = handle;
    call->session = session_enter(handle);
    if (call->session && call->session->users++ > 0)
        counters->shared_sessions++;
    if (!(traits & NO_RULE))
        call->fault = rules_apply(function, call->slot);
    call->reply_at = appliance_reply_time(call->slot, traits & ENGINE);
    call->rv = usable(call);
    if (call->rv == CKR_SESSION_HANDLE_INVALID)
        counters->invalid_handles++;
    if (call->rv != CKR_OK)
        return false;
    call->inner = call->session->inner;
    /* Clean: what begins has not begun, and what ends has ended. Dirty: the other way round. */
    return !call->fault.code || call->fault.dirty != !!(traits & ENDS);
}

CK_RV finish(struct call *call)
{
    if (call->reply_at)
        sleep_until(call->reply_at);
    /* What was lost while the answer was on its way takes the answer with it. */
    if (call->traits & ENGINE && call->rv == CKR_OK)
        call->rv = usable(call);
    if (call->session)
        call->session->users--;
    control->slots[call->slot].under_way--;
    return call->fault.code ? call->fault.code : call->rv;
}
