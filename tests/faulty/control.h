/* The control file: what the module is told to do, and what it counted.
 *
 * Both sides map the file shared; tests/faulty/layout.py is the other side. Every number is
 * 64 bits wide, times are nanoseconds. The module refuses a file of another version or size:
 * any change of the layout changes CONTROL_VERSION.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    CONTROL_VERSION = 1,
    MAX_SLOTS = 8,
    MAX_RULES = 64,
    MAX_ENGINES = 64,
    FUNCTIONS = 68,
};

#define ANY_FUNCTION UINT64_MAX
#define UNTIL_RELEASED UINT64_MAX

typedef _Atomic uint64_t number;

enum damage { DAMAGE_NONE, DAMAGE_FLIPPED_BIT, DAMAGE_TRUNCATED };

/* On which calls something happens, and what. */
struct rule {
    number ticket;        /* 0: free. Another number means another rule. */
    number function;      /* its place in functions.h, or ANY_FUNCTION */
    number slots;         /* a bit for each slot it is about */
    number every;         /* every n-th matching call; 1 is each */
    number probability;   /* of 2^32; in addition to `every` */
    number times;         /* how often at most; 0 is without a bound */
    number hang;          /* how long the call blocks, or UNTIL_RELEASED */
    number code;          /* what the call answers; 0: what it would have answered */
    number dirty;         /* with a code: an operation stays open, an opened session leaks */
    number damage;        /* of a signature */
    number seen, hits;    /* written by the module */
};

/* How a slot behaves apart from the rules. */
struct settings {
    number session_limit;    /* C_OpenSession answers CKR_SESSION_COUNT above it; 0: none */
    number opens_per_second; /* more are answered CKR_FUNCTION_FAILED; 0: none */
    number network;          /* there and back */
    number jitter;           /* added to it: the mean, or the bound of the uniform one */
    number uniform;          /* the jitter is uniform; exponential if not */
    number everywhere;       /* every call crosses the network, not only C_Sign */
    number service;          /* an engine's time for a signature */
    number engines;          /* 0: as many as are asked for */
    number cached;           /* the same key and data give the same signature again */
};

/* Something that existed before its generation changed is gone. */
struct state {
    number absent;          /* 0, or what calls answer while the token is removed */
    number sessions, objects, logins; /* generations */
    number stale_is_other;  /* an object handle from before is another key: else invalid */
    number open_sessions;
    number next_open;       /* pacing: when the next open would be in step */
    number engine_free[MAX_ENGINES];
};

struct counters {
    number calls[FUNCTIONS];
    number faults[FUNCTIONS];
    number most_under_way;
    number shared_sessions; /* calls on a session that was at work in another thread */
    number invalid_handles;
};

struct slot {
    struct settings settings;
    struct state state;
    struct counters counters;
    number under_way;
};

struct control {
    number version, size;
    number slot_count;
    number initialization; /* a generation: C_Initialize has to be called again */
    number draws;          /* how many random numbers were drawn: the seed of the next */
    unsigned char label[32]; /* the inner token; all zero: the first initialised one */
    struct rule rules[MAX_RULES];
    struct slot slots[MAX_SLOTS];
};

#endif
