# cython: language_level=3, boundscheck=False, wraparound=False
"""Nonce points of secp256k1 signatures, as sums of multiples that are kept.

SEC 1, section 4.1.4: R = (z/s) G + (r/s) Q. A scalar is written in signed digits, of twelve bits
for G and of ten for Q; for each digit and each of its absolute values the multiple is kept, so that
R is a sum of 48 points at most and none is doubled. All arithmetic, of points and of scalars, is
libsecp256k1's, as coincurve has it. The whole batch is done without the GIL, with one inversion.

Only what is right is found here: ``recovery``, its twin, looks at everything else.
"""

from functools import cache

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from coincurve import PublicKey
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from coincurve.utils import GROUP_ORDER_INT

cdef enum:
    SCALAR = 32
    SIGNATURE = 64
    GENERATOR_BITS = 12  # of a digit: wider ones want more of the cache than they save
    KEY_BITS = 10
    TERMS = 2 * SCALAR  # more than digits of two scalars
    COMPRESSED = 33
    COMPRESS = 0x102  # SECP256K1_EC_COMPRESSED


cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)


cdef extern from * nogil:
    void fetch "__builtin_prefetch" (const void *address)


# Of secp256k1.h.
cdef struct Point:
    unsigned char data[64]

ctypedef int (*Parse)(const void *, Point *, const char *, size_t) noexcept nogil
ctypedef int (*Combine)(const void *, Point *, const Point **, size_t) noexcept nogil
ctypedef int (*Negate)(const void *, Point *) noexcept nogil
ctypedef int (*Serialize)(
    const void *, unsigned char *, size_t *, const Point *, unsigned int
) noexcept nogil
ctypedef int (*Verify)(const void *, const unsigned char *) noexcept nogil
ctypedef int (*Multiply)(const void *, unsigned char *, const unsigned char *) noexcept nogil


def _address(name):
    if not hasattr(lib, name):
        raise ImportError(f"coincurve has no {name}")
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


cdef void *context = <void *><uintptr_t>int(ffi.cast("uintptr_t", GLOBAL_CONTEXT.ctx))
cdef Parse parse = <Parse><uintptr_t>_address("secp256k1_ec_pubkey_parse")
cdef Combine combine = <Combine><uintptr_t>_address("secp256k1_ec_pubkey_combine")
cdef Negate negate = <Negate><uintptr_t>_address("secp256k1_ec_pubkey_negate")
cdef Serialize serialize = <Serialize><uintptr_t>_address("secp256k1_ec_pubkey_serialize")
cdef Verify verify = <Verify><uintptr_t>_address("secp256k1_ec_seckey_verify")
cdef Multiply multiply = <Multiply><uintptr_t>_address("secp256k1_ec_seckey_tweak_mul")

if ffi.sizeof("secp256k1_pubkey") != sizeof(Point):
    raise ImportError("signer.hsm.multiples was built for another libsecp256k1")


cdef struct Claim:
    unsigned char z[SCALAR]  # the digest
    unsigned char r[SCALAR]
    unsigned char s[SCALAR]
    unsigned char before[SCALAR]  # the product of all s before it
    bint good  # as far as is known
    int id


cdef struct Term:
    const Point *point
    bint negative


cdef class Kept:
    """A point's multiples by digits of so many bits: 30 ms and 832 KiB where they are ten.

    G's, of twelve: 110 ms and 2.75 MiB.
    """

    cdef int bits, digits, values
    cdef Point *points  # by digit, the least first, and its absolute value from one on

    def __cinit__(self, bytes point not None, int bits):
        """Make them.

        Raises:
            ValueError: it is no point.
        """
        cdef Point base
        cdef int digit, value
        cdef bint right
        cdef Point *row
        cdef const Point *two[2]
        self.bits = bits
        self.digits = 8 * SCALAR // bits + 1  # the last takes in what is carried
        self.values = 1 << (bits - 1)
        cdef size_t size = self.digits * self.values * sizeof(Point)
        # A point fills a line of the cache: no look at one touches two.
        if posix_memalign(<void **>&self.points, sizeof(Point), size):
            raise MemoryError
        if not parse(context, &base, PyBytes_AS_STRING(point), PyBytes_GET_SIZE(point)):
            raise ValueError("not a point of secp256k1")
        with nogil:
            right = True
            for digit in range(self.digits):
                row = &self.points[digit * self.values]
                row[0] = base
                for value in range(1, self.values):
                    two[0], two[1] = &row[value - 1], &base
                    right &= combine(context, &row[value], two, 2)
                two[0] = two[1] = &row[self.values - 1]
                right &= combine(context, &base, two, 2)
        if not right:
            raise ValueError("a multiple is no point")

    def __dealloc__(self):
        free(self.points)

    cdef int add(self, const unsigned char *scalar, Term *terms) noexcept nogil:
        """Put a product's terms together, on their way from the memory; returns how many."""
        cdef unsigned char little[SCALAR + 3]  # the least first
        cdef unsigned char *at
        cdef int place, bit, value, count = 0
        cdef bint carried = False
        memset(little, 0, sizeof(little))
        for place in range(SCALAR):
            little[place] = scalar[SCALAR - 1 - place]
        for place in range(self.digits):
            bit = place * self.bits
            at = &little[bit >> 3]
            value = at[0] | at[1] << 8 | at[2] << 16
            value = (value >> (bit & 7) & 2 * self.values - 1) + carried
            carried = value > self.values
            if carried:
                value = 2 * self.values - value
            if value:
                terms[count].negative = carried
                terms[count].point = &self.points[place * self.values + value - 1]
                fetch(terms[count].point)
                count += 1
        return count


cdef class Multiples:
    """What is kept for one key, beside what all keys share."""

    cdef Kept generator
    cdef Kept key

    def __init__(self, Kept generator not None, Kept key not None):
        self.generator = generator
        self.key = key

    def ids(self, claims):
        """Return the recovery id of each, 0 or 1, by its nonce point.

        None for what is no signature of the key's, or a very unusual one.
        """
        cdef Py_ssize_t count = len(claims)
        cdef Py_ssize_t place
        cdef unsigned char running[SCALAR]
        cdef Claim *found = <Claim *>calloc(count + 1, sizeof(Claim))
        if found is NULL:
            raise MemoryError
        try:
            for place, (digest, signature) in enumerate(claims):
                take(&found[place], digest, signature)
            with nogil:
                forwards(found, count, running)
            inverse = pow(int.from_bytes(running[:SCALAR], "big"), -1, GROUP_ORDER_INT)
            memcpy(running, PyBytes_AS_STRING(inverse.to_bytes(SCALAR, "big")), SCALAR)
            with nogil:
                self.backwards(found, count, running)
            return [
                found[place].id if found[place].good else None for place in range(count)
            ]
        finally:
            free(found)

    cdef void backwards(
        self, Claim *claims, Py_ssize_t count, unsigned char *inverse
    ) noexcept nogil:
        """Find each id; ``inverse`` is that of the product of all s."""
        cdef Py_ssize_t place
        cdef Claim *claim
        for place in range(count - 1, -1, -1):
            claim = &claims[place]
            if claim.good:
                multiply(context, claim.before, inverse)  # 1/s
                multiply(context, inverse, claim.s)
                claim.good = self.find(claim, claim.before)

    cdef bint find(self, Claim *claim, const unsigned char *inverse) noexcept nogil:
        cdef Term terms[TERMS]
        cdef Point sum
        cdef unsigned char encoded[COMPRESSED]
        cdef unsigned char factor[SCALAR]
        cdef size_t size = COMPRESSED
        cdef int count
        memcpy(factor, claim.r, SCALAR)
        if not multiply(context, factor, inverse):  # r is out of range
            return False
        count = self.key.add(factor, terms)
        memcpy(factor, claim.z, SCALAR)
        if not multiply(context, factor, inverse):  # a digest that has to be reduced
            return False
        count += self.generator.add(factor, &terms[count])
        if not added(terms, count, &sum):
            return False
        serialize(context, encoded, &size, &sum, COMPRESS)
        claim.id = encoded[0] & 1
        return memcmp(&encoded[1], claim.r, SCALAR) == 0


cdef bint added(const Term *terms, int count, Point *sum) noexcept nogil:
    """Add the terms up; False: to infinity."""
    cdef Point turned[TERMS]
    cdef const Point *points[TERMS]
    cdef int place
    for place in range(count):
        points[place] = terms[place].point
        if terms[place].negative:
            turned[place] = points[place][0]
            negate(context, &turned[place])
            points[place] = &turned[place]
    return combine(context, sum, points, count)


cdef take(Claim *claim, bytes digest, bytes signature):
    if PyBytes_GET_SIZE(digest) == SCALAR and PyBytes_GET_SIZE(signature) == SIGNATURE:
        memcpy(claim.z, PyBytes_AS_STRING(digest), SCALAR)
        memcpy(claim.r, PyBytes_AS_STRING(signature), SCALAR)
        memcpy(claim.s, PyBytes_AS_STRING(signature) + SCALAR, SCALAR)
        claim.good = verify(context, claim.s)


cdef void forwards(Claim *claims, Py_ssize_t count, unsigned char *running) noexcept nogil:
    """Note the product of all s before each, and of all."""
    cdef Py_ssize_t place
    for place in range(SCALAR):
        running[place] = place == SCALAR - 1  # one
    for place in range(count):
        if claims[place].good:
            memcpy(claims[place].before, running, SCALAR)
            multiply(context, running, claims[place].s)


@cache
def generator():
    """Keep those of G."""
    return Kept(PublicKey.from_valid_secret((1).to_bytes(SCALAR, "big")).format(), GENERATOR_BITS)


def of_key(bytes point not None):
    """Keep the multiples of a key, given its point.

    Raises:
        ValueError: it is no point.
    """
    return Multiples(generator(), Kept(point, KEY_BITS))
