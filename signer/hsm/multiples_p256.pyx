# cython: language_level=3, boundscheck=False, wraparound=False
"""P-256 signatures, verified by sums of multiples of their key that are kept.

SEC 1, section 4.1.4: R = (z/s) G + (r/s) Q. Of G, OpenSSL keeps multiples itself; of Q they are
kept here: its scalar is written in signed digits, and for each digit there is the multiple for each
of its absolute values, so that none is doubled. All arithmetic, of points and of scalars, is
libcrypto's. The whole batch is done without the GIL, with one inversion.

Only what is right is found here: ``p256`` has OpenSSL's ECDSA look at everything else.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free

cdef enum:
    SCALAR = 32
    DIGITS = SCALAR + 1  # of eight bits; the last takes in what is carried
    VALUES = 128  # of a digit, without its sign


cdef extern from "openssl/obj_mac.h" nogil:
    int NID_X9_62_prime256v1


cdef extern from "openssl/bn.h" nogil:
    ctypedef struct BIGNUM
    ctypedef struct BN_CTX
    BN_CTX *BN_CTX_new()
    void BN_CTX_free(BN_CTX *)
    void BN_CTX_start(BN_CTX *)
    void BN_CTX_end(BN_CTX *)
    BIGNUM *BN_CTX_get(BN_CTX *)
    BIGNUM *BN_bin2bn(const unsigned char *, int, BIGNUM *)
    int BN_bn2binpad(const BIGNUM *, unsigned char *, int)
    BIGNUM *BN_copy(BIGNUM *, const BIGNUM *)
    int BN_one(BIGNUM *)
    int BN_is_zero(const BIGNUM *)
    int BN_cmp(const BIGNUM *, const BIGNUM *)
    int BN_mod_mul(BIGNUM *, const BIGNUM *, const BIGNUM *, const BIGNUM *, BN_CTX *)
    BIGNUM *BN_mod_inverse(BIGNUM *, const BIGNUM *, const BIGNUM *, BN_CTX *)


cdef extern from "openssl/ec.h" nogil:
    ctypedef struct EC_GROUP
    ctypedef struct EC_POINT
    EC_GROUP *EC_GROUP_new_by_curve_name(int)
    const BIGNUM *EC_GROUP_get0_order(const EC_GROUP *)
    EC_POINT *EC_POINT_new(const EC_GROUP *)
    EC_POINT *EC_POINT_dup(const EC_POINT *, const EC_GROUP *)
    void EC_POINT_free(EC_POINT *)
    int EC_POINT_oct2point(
        const EC_GROUP *, EC_POINT *, const unsigned char *, size_t, BN_CTX *
    )
    int EC_POINT_get_affine_coordinates(
        const EC_GROUP *, const EC_POINT *, BIGNUM *, BIGNUM *, BN_CTX *
    )
    int EC_POINT_set_affine_coordinates(
        const EC_GROUP *, EC_POINT *, const BIGNUM *, const BIGNUM *, BN_CTX *
    )
    int EC_POINT_set_to_infinity(const EC_GROUP *, EC_POINT *)
    int EC_POINT_mul(
        const EC_GROUP *, EC_POINT *, const BIGNUM *, const EC_POINT *, const BIGNUM *, BN_CTX *
    )
    int EC_POINT_add(const EC_GROUP *, EC_POINT *, const EC_POINT *, const EC_POINT *, BN_CTX *)
    int EC_POINT_dbl(const EC_GROUP *, EC_POINT *, const EC_POINT *, BN_CTX *)
    int EC_POINT_invert(const EC_GROUP *, EC_POINT *, BN_CTX *)


cdef extern from "openssl/err.h" nogil:
    void ERR_clear_error()


cdef EC_GROUP *P256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)
cdef const BIGNUM *ORDER = EC_GROUP_get0_order(P256)


cdef struct Claim:
    BIGNUM *z  # the digest
    BIGNUM *r
    BIGNUM *s
    BIGNUM *before  # the product of all s before it
    bint good  # as far as is known


cdef class Multiples:
    """A point's multiples: 20 ms and 1.3 MiB."""

    cdef EC_POINT *points[DIGITS][VALUES]  # the least digit first, absolute values from one on

    def __cinit__(self, bytes point not None):
        """Make them.

        Raises:
            ValueError: it is no point.
        """
        cdef BN_CTX *scratch = BN_CTX_new()
        cdef EC_POINT *base = EC_POINT_new(P256)
        cdef const unsigned char *encoded = octets(point)
        cdef size_t size = PyBytes_GET_SIZE(point)
        cdef bint made
        with nogil:
            made = EC_POINT_oct2point(P256, base, encoded, size, scratch)
            made = made and self.make(base, scratch)
            ERR_clear_error()
            EC_POINT_free(base)
            BN_CTX_free(scratch)
        if not made:
            raise ValueError("not a point of P-256")

    cdef bint make(self, EC_POINT *base, BN_CTX *scratch) noexcept nogil:
        """Make them of a point, which is used up."""
        cdef EC_POINT **row
        cdef int digit, value
        for digit in range(DIGITS):
            row = self.points[digit]
            for value in range(VALUES):
                row[value] = EC_POINT_dup(base, P256)
                if row[value] is NULL:
                    return False
                if value and not EC_POINT_add(P256, row[value], row[value - 1], base, scratch):
                    return False
                if not normalised(row[value], scratch):
                    return False
            if not EC_POINT_dbl(P256, base, row[VALUES - 1], scratch):
                return False
            if not normalised(base, scratch):
                return False
        return True

    def __dealloc__(self):
        cdef int digit, value
        for digit in range(DIGITS):
            for value in range(VALUES):
                EC_POINT_free(self.points[digit][value])

    def right(self, claims):
        """Tell of each digest and signature (r || s) whether it is known to be right."""
        cdef Py_ssize_t count = len(claims)
        cdef Py_ssize_t place
        cdef Claim *found = <Claim *>calloc(count + 1, sizeof(Claim))
        cdef BN_CTX *scratch = BN_CTX_new()
        cdef EC_POINT *sum = EC_POINT_new(P256)
        cdef EC_POINT *off = EC_POINT_new(P256)
        try:
            if found is NULL or scratch is NULL or sum is NULL or off is NULL:
                raise MemoryError
            BN_CTX_start(scratch)
            for place, (digest, signature) in enumerate(claims):
                take(&found[place], digest, signature, scratch)
            with nogil:
                self.check(found, count, sum, off, scratch)
                BN_CTX_end(scratch)
                ERR_clear_error()  # infinity has no x
            return [found[place].good for place in range(count)]
        finally:
            EC_POINT_free(off)
            EC_POINT_free(sum)
            BN_CTX_free(scratch)
            free(found)

    cdef void check(
        self, Claim *claims, Py_ssize_t count, EC_POINT *sum, EC_POINT *off, BN_CTX *scratch
    ) noexcept nogil:
        """Find of each whether it is good; the points are for what is added and taken off."""
        cdef Py_ssize_t place
        cdef Claim *claim
        cdef BIGNUM *running = BN_CTX_get(scratch)
        cdef BIGNUM *inverse = BN_CTX_get(scratch)
        cdef bint able = inverse is not NULL and BN_one(running)
        for place in range(count):
            claim = &claims[place]
            if able and claim.good:
                able = BN_copy(claim.before, running) is not NULL
                able = able and BN_mod_mul(running, running, claim.s, ORDER, scratch)
        able = able and BN_mod_inverse(running, running, ORDER, scratch) is not NULL
        for place in range(count - 1, -1, -1):
            claim = &claims[place]
            if claim.good:
                able = able and BN_mod_mul(inverse, running, claim.before, ORDER, scratch)  # 1/s
                able = able and BN_mod_mul(running, running, claim.s, ORDER, scratch)
                claim.good = able and self.fits(claim, inverse, sum, off, scratch)

    cdef bint fits(
        self, Claim *claim, BIGNUM *inverse, EC_POINT *sum, EC_POINT *off, BN_CTX *scratch
    ) noexcept nogil:
        """Whether r is the x of the nonce point, given 1/s, which is used up as z is."""
        cdef BIGNUM *x = claim.z
        return (
            BN_mod_mul(claim.z, claim.z, inverse, ORDER, scratch)
            and BN_mod_mul(inverse, claim.r, inverse, ORDER, scratch)
            and EC_POINT_mul(P256, sum, claim.z, NULL, NULL, scratch)
            and self.add(inverse, sum, off, scratch)
            and EC_POINT_get_affine_coordinates(P256, sum, x, NULL, scratch)
            and BN_cmp(x, claim.r) == 0
        )

    cdef bint add(
        self, const BIGNUM *scalar, EC_POINT *sum, EC_POINT *off, BN_CTX *scratch
    ) noexcept nogil:
        """Add so many times the key to a sum."""
        cdef unsigned char digits[SCALAR + 1]  # the first of them for what is carried
        cdef int place, value
        cdef bint negative = False
        digits[0] = 0
        if BN_bn2binpad(scalar, &digits[1], SCALAR) < 0:
            return False
        if not EC_POINT_set_to_infinity(P256, off):
            return False
        for place in range(DIGITS):
            value = digits[SCALAR - place] + negative
            negative = value > VALUES
            if negative:
                value = 2 * VALUES - value
            if value and not more(off if negative else sum, self.points[place][value - 1], scratch):
                return False
        return EC_POINT_invert(P256, off, scratch) and more(sum, off, scratch)


cdef bint more(EC_POINT *sum, const EC_POINT *point, BN_CTX *scratch) noexcept nogil:
    return EC_POINT_add(P256, sum, sum, point, scratch)


cdef bint normalised(EC_POINT *point, BN_CTX *scratch) noexcept nogil:
    """Have its Z be one: such points are added in two thirds of the time."""
    BN_CTX_start(scratch)
    cdef BIGNUM *x = BN_CTX_get(scratch)
    cdef BIGNUM *y = BN_CTX_get(scratch)
    cdef bint done = (
        y is not NULL
        and EC_POINT_get_affine_coordinates(P256, point, x, y, scratch)
        and EC_POINT_set_affine_coordinates(P256, point, x, y, scratch)
    )
    BN_CTX_end(scratch)
    return done


cdef const unsigned char *octets(bytes text) noexcept:
    return <const unsigned char *>PyBytes_AS_STRING(text)


cdef take(Claim *claim, bytes digest, bytes signature, BN_CTX *scratch):
    """Note a claim, of which nothing is good yet but its form."""
    claim.z, claim.r = BN_CTX_get(scratch), BN_CTX_get(scratch)
    claim.s, claim.before = BN_CTX_get(scratch), BN_CTX_get(scratch)
    claim.good = (
        claim.before is not NULL
        and PyBytes_GET_SIZE(digest) == SCALAR
        and PyBytes_GET_SIZE(signature) == 2 * SCALAR
        and BN_bin2bn(octets(digest), SCALAR, claim.z) is not NULL
        and BN_bin2bn(octets(signature), SCALAR, claim.r) is not NULL
        and BN_bin2bn(octets(signature) + SCALAR, SCALAR, claim.s) is not NULL
        and in_range(claim.r)
        and in_range(claim.s)
    )


cdef bint in_range(const BIGNUM *scalar) noexcept nogil:
    return not BN_is_zero(scalar) and BN_cmp(scalar, ORDER) < 0


def of_key(bytes point not None):
    """Keep the multiples of a key, given its point.

    Raises:
        ValueError: it is no point.
    """
    return Multiples(point)
