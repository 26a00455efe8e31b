#!/usr/bin/python3
"""Draws the twelve sample portraits in samples/photos.

One invented character, modelled as a small 3D head and bust, posed, lit and
painted with Pillow only. The same input gives the same pixels on every run:
all randomness is seeded.

    /usr/bin/python3 samples/draw.py           # all twelve
    /usr/bin/python3 samples/draw.py 03 07     # some of them
"""
import io
import math
import random
import sys
from bisect import bisect_right
from multiprocessing import Pool
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

OUT = Path(__file__).resolve().parent / "photos"
MAX_BYTES = 470_000


# ---------------------------------------------------------------- small maths

def lerp(a, b, t):
    return a + (b - a) * t


def mix(a, b, t):
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def smooth(a, b, x):
    t = (x - a) / (b - a)
    t = 0.0 if t < 0 else 1.0 if t > 1 else t
    return t * t * (3 - 2 * t)


def unit(v):
    n = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) or 1.0
    return (v[0] / n, v[1] / n, v[2] / n)


def bump(x, y, cx, cy, sx, sy):
    return math.exp(-((x - cx) / sx) ** 2 - ((y - cy) / sy) ** 2)


def lin(rgb):
    return tuple((c / 255) ** 2.2 for c in rgb)


def curve(*pts):
    """Monotone cubic through (y, value) pairs, tabulated."""
    pts = sorted(pts)
    xs = [p[0] for p in pts]
    ys = [p[1] for p in pts]
    d = [(ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) for i in range(len(xs) - 1)]
    m = [d[0]] + [0 if a * b <= 0 else 2 * a * b / (a + b) for a, b in zip(d, d[1:])] + [d[-1]]

    def f(x):
        if x <= xs[0]:
            return ys[0]
        if x >= xs[-1]:
            return ys[-1]
        i = bisect_right(xs, x) - 1
        h = xs[i + 1] - xs[i]
        t = (x - xs[i]) / h
        t2, t3 = t * t, t * t * t
        return ((2 * t3 - 3 * t2 + 1) * ys[i] + (t3 - 2 * t2 + t) * h * m[i]
                + (3 * t2 - 2 * t3) * ys[i + 1] + (t3 - t2) * h * m[i + 1])

    lo, hi, n = xs[0], xs[-1], 2000
    table = [f(lo + (hi - lo) * i / n) for i in range(n + 1)]
    k = n / (hi - lo)

    def g(x):
        i = (x - lo) * k
        if i <= 0:
            return table[0]
        if i >= n:
            return table[n]
        j = int(i)
        return table[j] + (table[j + 1] - table[j]) * (i - j)
    return g


TONE = []
for _i in range(4097):
    _x = _i / 1024 * 0.72
    _v = (_x * (2.51 * _x + .03)) / (_x * (2.43 * _x + .59) + .14)
    TONE.append(int(255 * min(1, _v) ** (1 / 2.2) + .5))


def tone(c):
    return (TONE[min(4096, int(c[0] * 1024))], TONE[min(4096, int(c[1] * 1024))],
            TONE[min(4096, int(c[2] * 1024))])


# ------------------------------------------------------------- the character
# Units: the face is 2.3 high; eyes at y = 0, chin at -1.16, z towards the camera.

SKIN = lin((228, 178, 150))
LIP = lin((186, 98, 92))
BROW = lin((92, 46, 26))
HAIR = lin((112, 54, 30))
HAIR_LIGHT = lin((176, 104, 64))
IRIS = lin((84, 112, 92))
FRAME = lin((44, 26, 18))
N = 2.08

W = curve((1.15, .02), (1.1, .3), (.95, .54), (.7, .69), (.4, .745), (.1, .74), (-.1, .725),
          (-.4, .665), (-.65, .575), (-.85, .455), (-1.0, .325), (-1.1, .2), (-1.16, .02))
F = curve((1.15, .02), (1.1, .25), (.95, .52), (.7, .73), (.4, .83), (.2, .845), (0, .80), (-.3, .81),
          (-.6, .82), (-.85, .80), (-1.0, .765), (-1.1, .66), (-1.16, .3))
B = curve((1.15, .05), (1.1, .4), (.95, .66), (.7, .85), (.4, .92), (.1, .9), (-.2, .8), (-.5, .6),
          (-.8, .45), (-1.16, .3))
NOSE_H = curve((.3, 0), (.2, .012), (.08, .03), (-.1, .10), (-.25, .185), (-.345, .245), (-.385, .245),
               (-.43, .19), (-.475, .10), (-.53, .02), (-.58, 0))
NOSE_S = curve((.3, .12), (.1, .078), (-.1, .085), (-.25, .09), (-.36, .10), (-.5, .11))
HW = curve((1.27, .02), (1.22, .32), (1.1, .58), (.85, .76), (.5, .85), (.1, .87), (-.3, .885), (-.7, .90),
           (-.95, .88), (-1.12, .82), (-1.3, .70))
HF = curve((1.27, .02), (1.22, .35), (1.1, .6), (.85, .79), (.5, .875), (.1, .82), (-.3, .74), (-.7, .69),
           (-1.3, .6))
HB = curve((1.27, .1), (1.2, .5), (1.1, .7), (.85, .92), (.5, 1.03), (.1, 1.06), (-.3, 1.02), (-.7, .95),
           (-1.0, .85), (-1.3, .65))
TW = curve((-.7, .44), (-1.2, .415), (-1.5, .44), (-1.66, .54), (-1.8, .76), (-1.93, 1.08), (-2.08, 1.36),
           (-2.3, 1.56), (-2.7, 1.68), (-3.4, 1.70), (-6, 1.58))
TF = curve((-.7, .36), (-1.2, .37), (-1.5, .40), (-1.7, .47), (-1.95, .60), (-2.3, .74), (-2.9, .92),
           (-3.6, .90), (-6, .8))
TB = curve((-.7, .42), (-1.2, .45), (-1.6, .55), (-2.0, .72), (-3, .85), (-6, .8))
TN = curve((-.7, 2), (-1.5, 2.05), (-1.9, 2.2), (-2.4, 2.6), (-6, 2.8))

_r = random.Random(11)
FRECKLES = []
while len(FRECKLES) < 170:
    fx, fy = _r.gauss(0, .33), _r.gauss(-.24, .13)
    if abs(fx) < .62 and -.52 < fy < .12:
        FRECKLES.append((fx, fy, _r.uniform(.006, .013), _r.uniform(.15, .5)))
MOLE = (.43, -.56)


def freckle_map():
    im = Image.new("L", (1200, 1300), 0)
    d = ImageDraw.Draw(im)
    for x, y, r, a in FRECKLES:
        px, py, q = (x + 1) * 600, (1 - y) * 600, r * 600
        d.ellipse((px - q, py - q * .85, px + q, py + q * .85), fill=int(255 * a))
    im = im.filter(ImageFilter.GaussianBlur(2))
    px, py, q = (MOLE[0] + 1) * 600, (1 - MOLE[1]) * 600, 7
    ImageDraw.Draw(im).ellipse((px - q, py - q, px + q, py + q), fill=255)
    return im.filter(ImageFilter.GaussianBlur(1.6))


class Face:
    """Surface and colour of the face for one expression."""

    def __init__(self, smile=0., mouth=0., brow=0., furrow=0., eyes=1., gaze=(0, 0)):
        self.smile, self.open, self.brow, self.furrow = smile, mouth, brow, furrow
        self.eyes, self.gaze = eyes, gaze
        self.mw = .225 + .055 * max(0, smile)
        self.fr = freckle_map().load()

    def lips(self, x):
        t = abs(x) / self.mw
        if t >= 1:
            return None
        s, q = self.smile, 1 - t * t
        ym = -.705 + s * (.085 * t * t - .015)
        gap = self.open * .125 * q ** .6
        up = .060 * q ** .75 * (1 - .2 * math.exp(-(t / .13) ** 2) + .1 * math.exp(-((t - .27) / .15) ** 2))
        lo = .084 * q ** .62
        up *= 1 - .22 * max(0, s)
        lo *= 1 - .12 * max(0, s)
        iu, il = ym + gap * .25, ym - gap * .75
        return ym, iu, il, iu + up, il - lo

    def dz(self, x, y):
        ax = abs(x)
        e = math.exp
        z = 0.
        if y < .3 and ax < .5:
            z += NOSE_H(y) * e(-(ax / NOSE_S(y)) ** 2)
            z += .06 * bump(ax, y, .118, -.415, .05, .055)
            z -= .02 * bump(ax, y, .062, -.475, .035, .022)
        z -= .085 * bump(ax, y, .30, .03, .19, .115)
        z += .055 * bump(ax, y, .33, 0, .125, .085)
        z += .03 * bump(ax, y, .30, .215, .22, .07)
        z += (.045 + .035 * self.smile) * bump(ax, y, .45, -.27 + .03 * self.smile, .19, .16)
        z -= .03 * bump(ax, y, .52, -.62, .15, .18)
        z += .05 * bump(x, y, 0, -1.02, .2, .11)
        z -= .035 * bump(x, y, 0, -.875 - .05 * self.open, .2, .05)
        if y < -.4:
            z += .06 * bump(x, y, 0, -.70, .26, .17)
            z -= .012 * bump(x, y, 0, -.57, .03, .06)
            if y > -.8:    # fold from the nose to the corner of the mouth
                t = (-.43 - y) / .32
                xf = .19 + (.15 + .05 * self.smile) * t
                if 0 < t < 1:
                    z -= (.004 + .014 * max(0, self.smile)) * e(-((ax - xf) / .04) ** 2) * math.sin(math.pi * t)
            lp = self.lips(x)
            if lp:
                ym, iu, il, top, bot = lp
                if y > iu:
                    z += .035 * e(-((y - (iu + top) / 2) / .036) ** 2)
                elif y < il:
                    z += .048 * e(-((y - (il + bot) / 2) / .042) ** 2)
                z -= .022 * e(-((y - ym) / .013) ** 2) * (1 - self.open)
        return z

    def surf(self, x, y, off=0.):
        q = min(.999, abs(x) / W(y))
        z = F(y) * (1 - q ** N) ** (1 / N)
        return (x, y, z + self.dz(x, y) + off)

    def lid(self, t, up):
        """Eye opening; t from -1 (nose side) to 1 (temple side)."""
        q = 1 - abs(t) ** 2.1
        base = .012 * t
        if up:
            return base + (.074 * self.eyes) * q ** .8 * (1 - .1 * t)
        return base - (.042 + .006 * self.eyes - .022 * max(0, self.smile)) * q ** .9 * (1 + .15 * t)

    def skin(self, x, y):
        """(albedo, gloss, occlusion) of the skin."""
        ax = abs(x)
        c = SKIN
        red = (.55 * bump(ax, y, .45, -.30, .2, .15) + .45 * bump(x, y, 0, -.36, .15, .1)
               + .2 * bump(x, y, 0, -1.02, .2, .1) + .2 * bump(ax, y, .3, .03, .2, .1))
        c = (c[0] * (1 - .05 * red), c[1] * (1 - .32 * red), c[2] * (1 - .34 * red))
        if -1 < x < 1 and -1.1 < y < 1:
            fr = self.fr[int((x + 1) * 599), int((1 - y) * 599)] / 255
            if fr:
                c = (c[0] * (1 - .4 * fr), c[1] * (1 - .62 * fr), c[2] * (1 - .74 * fr))
        ao = 1 - .42 * bump(ax, y, .235, .045, .12, .08) - .26 * bump(ax, y, .36, .06, .2, .05)
        ao -= .72 * bump(ax, y, .064, -.478, .032, .017) + .28 * bump(x, y, 0, -.51, .15, .04)
        ao -= .2 * bump(ax, y, .18, -.43, .022, .045)
        ao -= .2 * bump(x, y, 0, -.86 - .05 * self.open, .17, .035)
        ao -= .22 * bump(ax, y, self.mw + .015, -.705 + .07 * self.smile, .04, .035)
        ao -= .12 * smooth(-1.0, -1.16, y)
        ao -= .22 * smooth(.5, .82, y)
        gloss = .35 + .7 * bump(x, y, 0, -.3, .07, .12) + .4 * bump(x, y, 0, .42, .4, .2) \
            + .45 * bump(ax, y, .42, -.2, .15, .1)
        return c, gloss, max(.12, ao)

    def mouth(self, x, y):
        """Colour over the skin inside the lips, or None."""
        lp = self.lips(x)
        if not lp:
            return None
        ym, iu, il, top, bot = lp
        if y > top + .012 or y < bot - .012:
            return None
        edge = min(smooth(top + .010, top - .012, y), smooth(bot - .012, bot + .012, y))
        t = abs(x) / self.mw
        c, gloss, ao = self.skin(x, y)
        c = mix(c, LIP, .82 * edge * smooth(1.0, .86, t))
        if y > ym:
            c = tuple(v * .82 for v in c)
        gloss = .5 + .9 * (y < il)
        if self.open > .04 and il < y < iu:
            depth = min(iu - y, y - il)
            dark = lin((58, 18, 18))
            teeth = smooth(iu - .095, iu - .082, y) * smooth(.93, .75, t)
            gapx = abs(((x / .052) + .5) % 1 - .5)
            tc = mix(lin((236, 226, 212)), lin((170, 140, 120)), .5 * smooth(.07, 0, gapx) + .5 * t * t)
            c = mix(dark, tc, teeth)
            ao = .35 + .65 * smooth(0, .022, iu - y)
            gloss = .3
            return c, gloss, ao * smooth(-.005, .012, depth + .004)
        line = math.exp(-((y - ym) / .0085) ** 2) if self.open <= .04 else \
            math.exp(-(min(abs(y - iu), abs(y - il)) / .006) ** 2)
        c = mix(c, lin((74, 26, 26)), .85 * line * smooth(1.02, .93, t))
        return c, gloss, ao

    def eye(self, x, y):
        """(albedo, gloss, occlusion, eyeball normal or None) near an eye."""
        s = 1 if x > 0 else -1
        u = abs(x) - .33
        t = u / .162
        if abs(t) > 1.28:
            return None
        tc = max(-1, min(1, t))
        up, lo = self.lid(tc, True), self.lid(tc, False)
        if y > up + .1 or y < lo - .06:
            return None
        c, gloss, ao = self.skin(x, y)
        inside = min(up - y, y - lo)
        if abs(t) < 1 and inside > 0:
            ix = .002 * s + self.gaze[0] * .055
            iy = .012 + self.gaze[1] * .04
            dx, dy = s * u - ix, y - iy
            r = math.hypot(dx, dy)
            white = mix(lin((232, 226, 220)), lin((214, 160, 146)), smooth(.45, 1.0, abs(t)) * .7)
            c = white
            if r < .082:
                a = math.atan2(dy, dx)
                fib = .5 + .5 * math.sin(a * 23 + 2 * math.sin(a * 7)) * math.sin(a * 11 + 1)
                iris = mix(IRIS, lin((168, 150, 92)), smooth(.052, .03, r) * .7)
                iris = tuple(v * (.65 + .6 * fib) * (1.25 if dy < 0 else .85) for v in iris)
                iris = mix(iris, lin((28, 38, 34)), smooth(.058, .075, r))
                iris = mix(lin((8, 7, 7)), iris, smooth(.027, .035, r))
                c = mix(iris, white, smooth(.073, .081, r))
            ao = (.4 + .6 * smooth(-.004, .045, up - y)) * (.75 + .25 * smooth(0, .02, y - lo))
            nb = unit((s * u * 2.6, (y - .01) * 2.6, 1))
            lash = smooth(.014, .002, up - y)
            c = mix(c, lin((30, 16, 12)), lash)
            c = mix(c, lin((196, 128, 112)), smooth(.011, .004, y - lo) * .75)
            return c, .2, ao, nb
        fade = smooth(1.22, .98, abs(t))
        if y >= up:
            d = y - up
            c = mix(c, lin((28, 15, 11)), smooth(.017, .006, d) * fade)
            crease = math.exp(-((d - .045 - .012 * (1 - t * t)) / .009) ** 2) * fade
            c = tuple(v * (1 - k * crease) for v, k in zip(c, (.34, .48, .52)))
            gloss = .5
        elif y <= lo:
            d = lo - y
            c = mix(c, lin((104, 56, 44)), smooth(.012, .002, d) * fade * .6)
            ao *= 1 - .16 * math.exp(-((d - .038) / .018) ** 2) * fade
        return c, gloss, ao, None


# ---------------------------------------------------------------- the camera

class View:
    def __init__(self, shot, wpx, hpx):
        self.w, self.h = wpx, hpx
        self.s = shot["scale"] * hpx / 2.3
        self.cx, self.cy = shot["at"][0] * wpx, shot["at"][1] * hpx
        self.yaw, self.pitch, self.roll = (math.radians(v) for v in shot["head"])
        self.byaw, self.broll = (math.radians(v) for v in shot["body"])
        self.rots = {}

    def rot(self, k):
        """Rotation at blend k: 1 the head's, 0 the body's."""
        k = round(k * 200)
        if k not in self.rots:
            t = k / 200
            a, p, r = lerp(self.byaw, self.yaw, t), self.pitch * t, lerp(self.broll, self.roll, t)
            ca, sa, cp, sp, cr, sr = (f(v) for v in (a, p, r) for f in (math.cos, math.sin))
            my = ((ca, 0, sa), (0, 1, 0), (-sa, 0, ca))
            mx = ((1, 0, 0), (0, cp, sp), (0, -sp, cp))
            mz = ((cr, sr, 0), (-sr, cr, 0), (0, 0, 1))

            def mul(m, n):
                return tuple(tuple(sum(m[i][q] * n[q][j] for q in range(3)) for j in range(3)) for i in range(3))
            self.rots[k] = mul(mz, mul(mx, my))
        return self.rots[k]

    def vec(self, n, k=1.):
        m = self.rot(k)
        x, y, z = n
        return (m[0][0] * x + m[0][1] * y + m[0][2] * z, m[1][0] * x + m[1][1] * y + m[1][2] * z,
                m[2][0] * x + m[2][1] * y + m[2][2] * z)

    def pt(self, p, k=1.):
        x, y, z = self.vec((p[0], p[1] + .8, p[2] + .1), k)
        return (x, y - .8, z - .1)

    def proj(self, p):
        q = self.s * 10 / (10 - p[2])
        return (self.cx + p[0] * q, self.cy - p[1] * q)


class Depth:
    """Coarse depth map along a direction: for shadows and hidden lines."""

    def __init__(self, d, cell):
        self.d = unit(d)
        up = (0, 1, 0) if abs(self.d[1]) < .9 else (1, 0, 0)
        u = unit((up[1] * self.d[2] - up[2] * self.d[1], up[2] * self.d[0] - up[0] * self.d[2],
                  up[0] * self.d[1] - up[1] * self.d[0]))
        self.u = u
        self.v = (self.d[1] * u[2] - self.d[2] * u[1], self.d[2] * u[0] - self.d[0] * u[2],
                  self.d[0] * u[1] - self.d[1] * u[0])
        self.k, self.m = 1 / cell, {}

    def at(self, p):
        x, y, z = p
        return (math.floor((x * self.u[0] + y * self.u[1] + z * self.u[2]) * self.k),
                math.floor((x * self.v[0] + y * self.v[1] + z * self.v[2]) * self.k),
                x * self.d[0] + y * self.d[1] + z * self.d[2])

    def add(self, pts):
        m = self.m
        for p in pts:
            i, j, z = self.at(p)
            if m.get((i, j), -99) < z:
                m[i, j] = z

    def seen(self, p, bias, r=1):
        i, j, z = self.at(p)
        g, n = self.m.get, 0
        for a in (-r, 0, r):
            for b in (-r, 0, r):
                if g((i + a, j + b), -99) <= z + bias:
                    n += 1
        return n / 9


class Sight(Depth):
    """The same along the camera's own perspective."""

    def __init__(self, cell):
        super().__init__((0, 0, 1), cell)

    def at(self, p):
        q = 10 / (10 - p[2]) * self.k
        return math.floor(p[0] * q), math.floor(p[1] * q), p[2]


# ------------------------------------------------------------------- meshes

class Mesh:
    """A grid of points in view space with normals; look(i, j) gives the colour."""

    def __init__(self, grid, look, flip=1):
        self.g, self.look = grid, look
        h, w = len(grid), len(grid[0])
        self.n = []
        for i in range(h):
            a, b = grid[max(0, i - 1)], grid[min(h - 1, i + 1)]
            row = grid[i]
            out = []
            for j in range(w):
                p, q = row[j - 1 if j else 0], row[j + 1 if j < w - 1 else j]
                ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
                r, t = a[j], b[j]
                vx, vy, vz = r[0] - t[0], r[1] - t[1], r[2] - t[2]
                nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
                m = flip / (math.sqrt(nx * nx + ny * ny + nz * nz) or 1)
                out.append((nx * m, ny * m, nz * m))
            self.n.append(out)

    def points(self):
        return (p for row in self.g for p in row)


def shade(env, n, alb, gloss, ao, vis, skin=True):
    L = env["L"]
    ndl = n[0] * L[0] + n[1] * L[1] + n[2] * L[2]
    hx, hy, hz = env["H"]
    s = n[0] * hx + n[1] * hy + n[2] * hz
    s = s if s > 0 else 0
    spec = gloss * (.11 * s ** 28 + .05 * s ** 7) * vis * smooth(-.05, .15, ndl)
    up = .5 + .5 * n[1]
    fr = (1 - max(0, n[2])) ** 2.2
    R = env["R"]
    rim = max(0, n[0] * R[0] + n[1] * R[1] + n[2] * R[2]) * (.15 + fr) * (.4 + .6 * ao)
    fl = env["fillL"]
    fd = max(0, (n[0] * fl[0] + n[1] * fl[1] + n[2] * fl[2] + .3) / 1.3) * ao
    out = []
    for k in range(3):
        w = (.34, .16, .11)[k] if skin else .1
        d = max(0, (ndl + w) / (1 + w))
        v = vis ** ((.8, 1.15, 1.3)[k]) if skin else vis
        e = d * v * env["key"][k] * (.45 + .55 * ao) + fd * env["fill"][k] \
            + lerp(env["ground"][k], env["sky"][k], up) * ao + rim * env["rim"][k]
        out.append(alb[k] * e + (spec + .03 * fr * ao) * env["key"][k] + .25 * rim * fr * env["rim"][k])
    return tone(out)


def noise(seed, size, cells, blur=0.):
    """Smooth noise as an L image."""
    r = random.Random(seed)
    im = Image.frombytes("L", cells, r.randbytes(cells[0] * cells[1])).resize(size, Image.BICUBIC)
    return im.filter(ImageFilter.GaussianBlur(blur)) if blur else im


# ------------------------------------------------------------------ the hair

PART = 9.


def hull(a, y, off=0.):
    r = math.radians(a)
    s, c = math.sin(r), math.cos(r)
    return ((HW(y) + off) * s, y, ((HF(y) if c > 0 else HB(y)) + off) * c)


def hair_az(side, u, y, y0):
    root = PART + side * (1 + 330 * max(0, u - .5))
    return lerp(root, side * (57 + u * 123), smooth(0, 1, (y0 - y) / (y0 - .08)) if y < y0 else 0)


def strands(seed):
    r = random.Random(seed)
    out = []
    for k in range(5200):
        side = 1 if r.random() < .47 else -1
        u = r.random() ** 1.15
        fringe = k % 16 == 0
        if fringe:
            u = -r.random() ** 1.6 * .10
        y0 = lerp(.86, 1.255, min(1, max(0, u) * 1.9) ** .6) + r.uniform(-.06, .05)
        ye = r.gauss(-1.12, .07) if not fringe else r.uniform(-.75, -.25)
        clump = math.floor(u * 34) * 1.7 + side
        layer = r.random() ** 1.4 * .075
        fly = r.random() < .018
        ph, amp = math.sin(clump * 12.9) * 3 + r.uniform(-.35, .35), r.uniform(.6, 1.2)
        tint = .5 + .28 * math.sin(clump * 5.3) + r.uniform(-.28, .28)
        pts, n = [], 30
        for i in range(n + 1):
            t = i / n
            y = lerp(y0, ye, t ** 1.25)
            low = smooth(.5, -.6, y)
            wave = math.sin(y * 6.2 + ph) * amp
            a = hair_az(side, u, y, y0) + wave * low * 3.4
            off = -.03 * (1 - smooth(0, .12, t)) + layer + .022 * low * math.cos(y * 6.2 + ph) * amp
            off += .10 * smooth(.1, 1, t) * r.random() * .1 + (.07 * t + .02 if fly else 0)
            if fringe:
                off += .02 - .03 * smooth(.4, -.5, y)
            pts.append(hull(a, y, off))
        out.append((pts, tint, r.uniform(.006, .0125) * (.45 if fly else 1), layer))
    return out


# --------------------------------------------------------------- the clothes

def cloth(kind, colours, a, y, x):
    """Albedo of the bust at angle a and height y, or None for skin. The front is a = 0."""
    c1, c2 = colours
    fa = abs(a)
    crew = -1.62 - .20 * max(0, math.cos(math.radians(a))) ** 2
    if kind == "crew":
        if y > crew:
            return None
        return mix(c1, c2, .5 if y > crew - .07 else 0)
    if kind == "knit":
        if y > crew:
            return None
        rib = .5 + .5 * math.sin(x * 95)
        if y > crew - .12:
            return mix(c1, c2, .6 * (.5 + .5 * math.sin(a * 1.9)))
        return mix(c1, c2, .45 * rib * (.6 + .4 * math.sin(y * 70 + (int(x * 30) % 2) * 3)))
    if kind == "stripes":
        if y > crew:
            return None
        return c2 if (y * 4.3) % 1 < .34 and y < -2.05 else c1
    if kind == "turtle":
        if y > -1.32:
            return None
        rib = .5 + .5 * math.sin(a * (2.1 if y > -1.62 else .7))
        return mix(c1, c2, .5 * rib + (.35 if -1.66 < y < -1.6 else 0))
    vee = -1.60 - .95 * max(0, 1 - abs(x) / .62) if fa < 90 else -1.55
    if kind == "vee":
        if y > vee:
            return None
        return c2 if y > vee - .07 else c1
    if kind in ("shirt", "plaid"):
        v2 = -1.42 - 1.0 * max(0, 1 - abs(x) / .40) if fa < 90 else -1.36
        if y > v2:
            return None
        if kind == "plaid":
            p, q = (x * 2.6) % 1 < .3, (y * 2.6) % 1 < .3
            base = mix(c1, c2, .42 * p + .42 * q)
        else:
            base = c1
        if y > v2 - .26 and y > -2.1:
            base = tuple(v * 1.12 for v in base)
        if v2 - .285 < y < v2 - .26 and y > -2.1:
            base = tuple(v * .45 for v in base)
        if y < -2.4 and fa < 90 and abs(abs(x) - .09) < .008:
            base = tuple(v * .6 for v in base)
        if y < -2.3 and fa < 90 and math.hypot(x, (y * 2.2) % 1 / 2.2 - .2) < .035:
            base = lin((226, 220, 205))
        return base
    if kind == "jacket":
        lap = max(.03, .30 - .10 * max(0, -1.6 - y))
        if fa < 90 and abs(x) < lap:
            return None if y > crew else c2
        if y > -1.57:
            return None
        edge = abs(x) - lap
        wide = .12 + .34 * smooth(-1.5, -2.35, y) * smooth(-3.3, -2.4, y)
        if fa < 90 and edge < wide:
            return tuple(v * 1.25 for v in c1)
        if fa < 90 and edge < wide + .03:
            return tuple(v * .4 for v in c1)
        return c1
    raise ValueError(kind)


# --------------------------------------------------------------- backgrounds

def vgrad(size, stops):
    f = [curve(*((s[0], s[1][k]) for s in stops)) for k in range(3)]
    col = Image.new("RGB", (1, 256))
    for i in range(256):
        col.putpixel((0, i), tuple(int(max(0, min(255, g(i / 255)))) for g in f))
    return col.resize(size, Image.BICUBIC)


def glow(im, x, y, r, colour, power=1.):
    """Add a soft radial light."""
    w, h = im.size
    sm = Image.new("L", (256, 256), 0)
    d = ImageDraw.Draw(sm)
    for k in range(128, 0, -1):
        v = int(255 * power * (math.cos(k / 128 * math.pi) * .5 + .5))
        d.ellipse((128 - k, 128 - k, 128 + k, 128 + k), fill=min(255, v))
    q = int(r * h)
    m = Image.new("L", im.size, 0)
    m.paste(sm.resize((2 * q, 2 * q), Image.BICUBIC), (int(x * w) - q, int(y * h) - q))
    return ImageChops.screen(im, ImageChops.multiply(Image.merge("RGB", (m, m, m)), Image.new("RGB", im.size, colour)))


def discs(im, r, count, colours, lo, hi, ymin=0., ymax=1., alpha=(40, 150), soft=.12):
    w, h = im.size
    for _ in range(count):
        q = r.uniform(lo, hi) * h
        x, y = r.uniform(-.05, 1.05) * w, r.uniform(ymin, ymax) * h
        n = int(2 * q) + 9
        m = Image.new("L", (n, n), 0)
        d = ImageDraw.Draw(m)
        a = r.randint(*alpha)
        d.ellipse((4, 4, n - 5, n - 5), fill=a)
        e = q * .10
        d.ellipse((4 + e, 4 + e, n - 5 - e, n - 5 - e), fill=int(a * .78))
        m = m.filter(ImageFilter.GaussianBlur(max(1, q * soft)))
        lay = Image.new("RGB", (n, n), r.choice(colours))
        box = (int(x - q), int(y - q))
        tile = im.crop((box[0], box[1], box[0] + n, box[1] + n))
        im.paste(ImageChops.screen(tile, ImageChops.multiply(lay, Image.merge("RGB", (m, m, m)))), box)
    return im


def background(kind, size, seed):
    r = random.Random(seed)
    w, h = size
    k = 900 / h
    W0, H0 = int(w * k), 900
    im = Image.new("RGB", (W0, H0))
    if kind in ("grey", "teal", "rose", "dark", "cream"):
        a, b, g = {"grey": ((92, 96, 102), (46, 48, 54), (150, 154, 160)),
                   "teal": ((32, 62, 70), (12, 26, 32), (74, 128, 132)),
                   "rose": ((172, 120, 112), (112, 70, 68), (236, 190, 170)),
                   "dark": ((14, 14, 18), (6, 6, 8), (46, 34, 30)),
                   "cream": ((214, 200, 178), (164, 146, 124), (255, 244, 226))}[kind]
        im = vgrad((W0, H0), ((0, b), (.45, a), (1, b)))
        im = glow(im, .62 if seed % 2 else .36, .42, .62, g, .55)
        mott = noise(seed, (W0, H0), (9, 11), 18)
        im = Image.blend(im, ImageChops.multiply(im, Image.merge("RGB", (mott,) * 3)), .22)
    elif kind == "bokeh":
        im = vgrad((W0, H0), ((0, (16, 18, 38)), (.6, (44, 28, 44)), (1, (20, 14, 22))))
        im = discs(im, r, 46, [(255, 190, 110), (255, 150, 80), (255, 220, 170), (120, 150, 255), (255, 110, 120)],
                   .015, .06, 0, .85, (50, 190), .05)
    elif kind in ("park", "autumn"):
        pal = {"park": [(70, 110, 48), (104, 142, 60), (42, 78, 40), (140, 168, 84), (30, 56, 32)],
               "autumn": [(176, 104, 40), (206, 142, 58), (122, 66, 34), (92, 84, 44), (226, 176, 92)]}[kind]
        im = vgrad((W0, H0), ((0, (168, 186, 150) if kind == "park" else (220, 190, 140)), (.55, pal[0]), (1, pal[2])))
        d = ImageDraw.Draw(im)
        for _ in range(420):
            x, y, q = r.uniform(0, W0), r.uniform(0, H0), r.uniform(14, 70)
            c = r.choice(pal)
            lite = lerp(1.25, .75, y / H0)
            d.ellipse((x - q, y - q * .7, x + q, y + q * .7), fill=tuple(min(255, int(v * lite)) for v in c))
        for x in (.08, .86, .7):
            d.polygon([(W0 * x, 0), (W0 * x + 34, 0), (W0 * x + 50, H0), (W0 * x - 10, H0)], fill=(58, 46, 36))
        im = im.filter(ImageFilter.GaussianBlur(20))
        im = discs(im, r, 60, [(255, 250, 190), (220, 250, 150)] if kind == "park" else [(255, 220, 140), (255, 190, 90)],
                   .012, .045, 0, .6, (20, 95), .06)
        im = glow(im, .2, .05, .6, (255, 240, 190), .5)
    elif kind == "dusk":
        im = vgrad((W0, H0), ((0, (38, 52, 98)), (.4, (122, 96, 130)), (.62, (238, 150, 106)), (1, (70, 48, 62))))
        d = ImageDraw.Draw(im)
        x = -20
        while x < W0:
            bw, top = r.randint(50, 130), r.uniform(.22, .58) * H0
            c = r.choice([(42, 40, 64), (54, 46, 70), (34, 34, 56)])
            d.rectangle((x, top, x + bw, H0), fill=c)
            for wy in range(int(top) + 14, H0, 26):
                for wx in range(int(x) + 9, int(x + bw) - 12, 20):
                    if r.random() < .36:
                        d.rectangle((wx, wy, wx + 9, wy + 13), fill=r.choice([(255, 206, 120), (255, 232, 180), (250, 170, 90)]))
            x += bw + r.randint(-6, 16)
        im = im.filter(ImageFilter.GaussianBlur(8))
        im = discs(im, r, 26, [(255, 190, 110), (255, 120, 90), (255, 230, 190)], .015, .04, .45, .95, (60, 170), .05)
    elif kind == "brick":
        im = Image.new("RGB", (W0, H0), (128, 112, 100))
        d = ImageDraw.Draw(im)
        for j, y in enumerate(range(-10, H0, 34)):
            for x in range(-90 + (j % 2) * 46, W0 + 90, 92):
                v = r.uniform(.75, 1.12)
                c = r.choice([(146, 76, 56), (158, 88, 64), (130, 68, 54), (168, 102, 78)])
                d.rounded_rectangle((x + 2, y + 2, x + 89, y + 31), 4, fill=tuple(int(q * v) for q in c))
        n = noise(seed, (W0, H0), (W0 // 4, H0 // 4))
        im = Image.blend(im, ImageChops.multiply(im, Image.merge("RGB", (n,) * 3)), .3).filter(ImageFilter.GaussianBlur(3.2))
        im = ImageChops.multiply(im, vgrad((W0, H0), ((0, (255, 250, 240)), (1, (120, 112, 112)))))
    elif kind == "sea":
        im = vgrad((W0, H0), ((0, (122, 164, 206)), (.40, (206, 222, 232)), (.47, (236, 228, 214)), (.49, (88, 136, 158)),
                              (.75, (66, 118, 142)), (.80, (196, 180, 150)), (1, (206, 186, 152))))
        cl = noise(seed, (W0, H0), (6, 16), 14).point(lambda v: max(0, v - 120))
        im = ImageChops.screen(im, ImageChops.multiply(Image.merge("RGB", (cl,) * 3), vgrad((W0, H0), ((0, (255,) * 3), (.42, (160,) * 3), (.48, (0,) * 3), (1, (0,) * 3)))))
        im = im.filter(ImageFilter.GaussianBlur(7))
        im = discs(im, r, 70, [(255, 255, 250)], .004, .012, .49, .76, (30, 110), .1)
    elif kind == "books":
        im = Image.new("RGB", (W0, H0), (52, 34, 24))
        d = ImageDraw.Draw(im)
        for y in range(-30, H0, 168):
            x = -10
            while x < W0:
                bw, bh = r.randint(16, 40), r.randint(104, 142)
                c = r.choice([(128, 52, 40), (44, 74, 84), (186, 150, 98), (74, 84, 54), (206, 190, 160), (60, 48, 76), (150, 96, 50)])
                d.rectangle((x, y + 150 - bh, x + bw - 2, y + 150), fill=c)
                if r.random() < .5:
                    d.rectangle((x + 3, y + 164 - bh, x + bw - 5, y + 172 - bh), fill=(222, 196, 140))
                x += bw if r.random() < .93 else bw + 34
            d.rectangle((0, y + 150, W0, y + 166), fill=(104, 70, 44))
        im = im.filter(ImageFilter.GaussianBlur(9))
        im = ImageChops.multiply(im, vgrad((W0, H0), ((0, (210, 190, 170)), (1, (130, 110, 100)))))
        im = glow(im, .9, .15, .6, (255, 186, 104), .55)
    elif kind == "neon":
        im = vgrad((W0, H0), ((0, (14, 10, 30)), (.6, (32, 14, 48)), (1, (10, 8, 20))))
        im = glow(im, .05, .35, .6, (255, 40, 140), .75)
        im = glow(im, .98, .4, .65, (30, 150, 255), .75)
        d = ImageDraw.Draw(im)
        d.line([(W0 * .12, 90), (W0 * .12, 560)], fill=(255, 170, 215), width=14)
        d.line([(W0 * .2, 130), (W0 * .2, 460)], fill=(255, 100, 190), width=9)
        d.arc((W0 * .72, 60, W0 * 1.02, 360), 90, 330, fill=(150, 220, 255), width=13)
        im = im.filter(ImageFilter.GaussianBlur(11))
    else:
        raise ValueError(kind)
    return im.resize(size, Image.BICUBIC)


# ----------------------------------------------------------------- rendering

def figure(shot, size):
    """Paint the person: an RGB layer and its mask."""
    v = View(shot, *size)
    face = Face(**shot["face"])
    env = dict(shot["light"])
    for key in ("L", "R", "fillL"):
        env[key] = unit(env[key])
    env["H"] = unit((env["L"][0], env["L"][1], env["L"][2] + 1))
    kind, c1, c2 = shot["wear"]
    colours = (lin(c1), lin(c2))

    # head
    angles = [-180 + 84 * i / 24 for i in range(24)] + [-96 + 192 * i / 330 for i in range(331)] \
        + [96 + 84 * i / 24 for i in range(1, 25)]
    trig = [(math.copysign(abs(math.sin(math.radians(a))) ** (2 / N), a), math.cos(math.radians(a))) for a in angles]
    ys = [1.15 - 2.31 * (i / 400) for i in range(401)]
    obj, grid = [], []
    for y in ys:
        w, f, b = W(y), F(y), B(y)
        row = []
        for sx, c in trig:
            x = w * sx
            z = (f if c > 0 else -b) * abs(c) ** (2 / N)
            if c > 0:
                z += face.dz(x, y) * smooth(0, .3, c)
            row.append((x, y, z))
        obj.append(row)
        grid.append([v.pt(p) for p in row])

    def look_head(i, j):
        x, y, z = obj[i][j]
        if trig[j][1] < 0:
            return SKIN, .2, .5
        c, g, ao = face.skin(x, y)
        return c, g, ao * (1 - .35 * smooth(.56, .74, abs(x)))
    head = Mesh(grid, look_head)

    # bust
    fold = noise(shot["seed"] + 5, (360, 300), (26, 16), 3).load()
    fine = noise(shot["seed"] + 6, (360, 300), (90, 30), 1.5).load()
    bys = [-.7 - .6 * (i / 40) for i in range(40)] + [-1.3 - .9 * (i / 190) for i in range(190)] \
        + [-2.2 - 3.6 * (i / 150) for i in range(151)]
    bas = [-180 + 80 * i / 40 for i in range(40)] + [-100 + 200 * i / 540 for i in range(540)] \
        + [100 + 80 * i / 40 for i in range(41)]
    bgrid, balb = [], []
    for i, y in enumerate(bys):
        fi = min(299, int((-.7 - y) * 58))
        w, f, b, n = TW(y), TF(y), TB(y), TN(y)
        k = 1 - smooth(-.95, -1.75, y)
        vrow, arow = [], []
        for j, a in enumerate(bas):
            s, c = math.sin(math.radians(a)), math.cos(math.radians(a))
            x0 = w * math.copysign(abs(s) ** (2 / n), s)
            z0 = (f if c > 0 else -b) * abs(c) ** (2 / n)
            alb = cloth(kind, colours, a, y, x0)
            ao = 1 - (.62 * (1 - smooth(-1.12, -1.5, y)) if alb is None else 0)
            if alb is None:
                out = -.015
                if c > 0:
                    out += .028 * math.exp(-((y + 1.70 + .05 * abs(x0)) / .05) ** 2) * smooth(.05, .2, abs(x0)) * (abs(x0) < .9)
                    out += .03 * math.exp(-((abs(x0) - .10 - (-1.75 - y) * -.3) / .06) ** 2) * smooth(-1.1, -1.3, y) * smooth(-1.78, -1.6, y)
                    out -= .03 * bump(x0, y, 0, -1.70, .07, .07)
            else:
                out = .035 + (fold[int((bas[j] + 180) * .99), fi] / 255 - .5) * .16 * smooth(-1.7, -2.4, y) \
                    + (fine[int((bas[j] + 180) * .99), fi] / 255 - .5) * .03
                if kind == "turtle" and y > -1.66:
                    out += (.07 + .02 * math.sin((y + 1.35) * 20)) * smooth(-1.31, -1.38, y)
                if kind in ("shirt", "plaid", "jacket") and y > -2.0:
                    out += .05 * smooth(-1.36 if kind != "jacket" else -1.55, -1.66, y)
                arm = math.exp(-((abs(x0) - 1.22 - .06 * (y + 3)) / .055) ** 2) * smooth(-2.45, -3.0, y)
                out -= .10 * arm
                ao -= .45 * arm
            m = math.hypot(x0, z0) or 1
            p = (x0 * (1 + out / m), y + .17 * smooth(-.9, -1.45, y), z0 * (1 + out / m) - .15 - .1 * smooth(-.9, -1.6, y))
            vrow.append(v.pt(p, k))
            arow.append((alb if alb else tuple(q * .96 for q in SKIN), .3 if alb is None else .06, max(.1, ao), alb is None))
        bgrid.append(vrow)
        balb.append(arow)
    bust = Mesh(bgrid, lambda i, j: balb[i][j][:3])

    # hair cap under the strands
    hys = [1.268 - 2.36 * (i / 120) ** 1.15 for i in range(121)]
    hgrid = []
    for y in hys:
        lo = hair_az(1, 0.07, y, .86) if y < .86 else PART
        hi = 360 + (hair_az(-1, 0.07, y, .86) if y < .86 else PART)
        hgrid.append([v.pt(hull(lerp(lo, hi, j / 150), y, -.055)) for j in range(151)])
    cap = Mesh(hgrid, lambda i, j: (tuple(q * .30 for q in HAIR), .1, .75))

    # depth maps
    sun = Depth(env["L"], .034)
    for m in (head, bust, cap):
        sun.add(m.points())
    eye_map = Sight(.03)
    for m in (head, bust, cap):
        eye_map.add(p for row, nr in zip(m.g, m.n) for p, n in zip(row, nr) if n[2] > -.1)

    def vis_grid(m, bias):
        h, w = len(m.g), len(m.g[0])
        im = Image.frombytes("L", (w, h), bytes(int(255 * sun.seen(p, bias, 1)) for p in m.points()))
        return im.filter(ImageFilter.GaussianBlur(5 if m is head else 1.8)).load()

    layer = Image.new("RGB", size)
    mask = Image.new("L", size, 0)
    d, dm = ImageDraw.Draw(layer), ImageDraw.Draw(mask)
    todo = []

    def emit(m, bias, skin, vis=None, push=0.):
        vg = vis or vis_grid(m, bias)
        pp = [[v.proj(p) for p in row] for row in m.g]
        for i in range(len(m.g) - 1):
            for j in range(len(m.g[0]) - 1):
                n = m.n[i][j]
                if n[2] < -.16 and m is not cap:
                    continue
                a, b = pp[i][j], pp[i + 1][j + 1]
                if (a[0] < -50 and b[0] < -50) or (a[0] > size[0] + 50 and b[0] > size[0] + 50) or a[1] > size[1] + 50:
                    continue
                col = m.look(i, j)
                if not col:
                    continue
                sk = skin(i, j) if callable(skin) else skin
                if n[2] < 0 and m is cap:
                    col = (tuple(q * .5 for q in col[0]), 0, .3)
                    n = (0, 0, 1)
                todo.append((m.g[i][j][2] + push, (a, pp[i][j + 1], b, pp[i + 1][j]),
                             shade(env, n, col[0], col[1], col[2], vg[j, i] / 255, sk)))

    emit(cap, .1, False)
    emit(bust, .09, lambda i, j: balb[i][j][3])
    emit(head, .075, True)
    todo.sort(key=lambda q: q[0])
    for _, poly, c in todo:
        d.polygon(poly, fill=c)
        dm.polygon(poly, fill=255)
    cell = .0065 * v.s
    layer = layer.filter(ImageFilter.GaussianBlur(max(.6, cell * .55)))

    # lips and eyes on finer grids
    todo.clear()
    step = max(.0028, 1.4 / v.s)

    def patch(x0, x1, y0, y1, fn):
        nx, ny = int((x1 - x0) / step), int((y1 - y0) / step)
        px = [[face.surf(lerp(x0, x1, j / nx), lerp(y1, y0, i / ny), .001) for j in range(nx + 1)] for i in range(ny + 1)]
        m = Mesh([[v.pt(p) for p in row] for row in px], None)
        for i in range(ny):
            for j in range(nx):
                r = fn(px[i][j][0], px[i][j][1])
                if not r:
                    continue
                p = m.g[i][j]
                if eye_map.seen(p, .07, 0) < .5:
                    continue
                n = m.n[i][j]
                if len(r) > 3 and r[3]:
                    n = v.vec(r[3])
                vs = sun.seen(p, .09, 1)
                quad = tuple(v.proj(q) for q in (p, m.g[i][j + 1], m.g[i + 1][j + 1], m.g[i + 1][j]))
                d.polygon(quad, fill=shade(env, n, r[0], r[1], r[2], .35 + .65 * vs if len(r) > 3 else vs))

    d = ImageDraw.Draw(layer)
    patch(-.36, .36, -.95, -.58, face.mouth)
    patch(.11, .55, -.13, .22, face.eye)
    patch(-.55, -.11, -.13, .22, face.eye)
    soft = layer.filter(ImageFilter.GaussianBlur(max(.8, .0030 * v.s)))
    zone = Image.new("L", size, 0)
    zd = ImageDraw.Draw(zone)
    ctr = v.proj(v.pt((0, -.3, .8)))
    q = 1.0 * v.s
    zd.ellipse((ctr[0] - q, ctr[1] - q, ctr[0] + q, ctr[1] + q), fill=255)
    layer.paste(soft, (0, 0), zone)
    d = ImageDraw.Draw(layer)

    def stroke(pts, width, col, vis=.05):
        pr = [v.proj(p) for p in pts]
        for p, a, b in zip(pts, pr, pr[1:]):
            if eye_map.seen(p, vis, 0) > .5:
                d.line((a, b), fill=col, width=max(1, int(width * v.s + .5)))

    def lit(alb, n, p):
        return shade(env, n, alb, .1, .9, .3 + .7 * sun.seen(p, .1, 1), False)

    # brows
    fixed = random.Random(77)
    for side in (1, -1):
        for _ in range(300):
            t, h = fixed.random(), fixed.gauss(0, .4)
            x = .125 + .40 * t
            arch = .215 + .075 * math.sin(min(1, t * 1.05) * math.pi * .72) - .055 * t * t
            arch += face.brow * (.05 + .02 * t) - face.furrow * .05 * (1 - t)
            x -= face.furrow * .02 * (1 - t)
            th = .036 * (1 - .72 * t ** 1.6)
            y = arch + h * th
            ang = lerp(1.15, -.25, t ** .6) - h * .35
            ln = .055 + .02 * fixed.random()
            scar = side == -1 and .62 < t < .685
            jit = fixed.uniform(.7, 1.2)
            if scar:
                continue
            pts = [face.surf(side * (x + math.cos(ang) * ln * q), y + math.sin(ang) * ln * q * .75, .006 + .008 * q) for q in (0, .5, 1)]
            pts = [v.pt(p) for p in pts]
            stroke(pts, .0085, lit(tuple(b * jit for b in BROW), v.vec((0, .2, 1)), pts[0]), .09)
    # the scar that parts her right brow
    pts = [v.pt(face.surf(-(.375 + .018 * q), lerp(.32, .19, q) + face.brow * .05, .004)) for q in (0, .25, .5, .75, 1)]
    stroke(pts, .010, lit(lin((244, 200, 180)), v.vec((0, 0, 1)), pts[2]), .09)
    # lashes
    for side in (1, -1):
        for k in range(34):
            t = -.85 + 1.87 * k / 33
            x, y = .33 + .162 * min(1, t), face.lid(min(1, t), True)
            ln = (.014 + .034 * max(0, t)) * (.8 + .4 * fixed.random())
            dx = (.2 + .8 * t) * ln
            p0 = face.surf(side * x, y, .004)
            pts = [p0, (p0[0] + side * dx * .6, y + ln * .25, p0[2] + ln * .6), (p0[0] + side * dx, y + ln * .85, p0[2] + ln * .8)]
            stroke([v.pt(p) for p in pts], .0052, lit(lin((26, 14, 10)), (0, 0, 1), v.pt(p0)), .1)
    # catchlights
    spot = Image.new("L", size, 0)
    sd = ImageDraw.Draw(spot)
    for side in (1, -1):
        g = face.gaze
        x, y = side * .33 + g[0] * .055 + env["L"][0] * .036, .012 + g[1] * .04 + max(.2, env["L"][1]) * .044
        y = min(y, face.lid(0, True) - .026)
        p = v.pt(face.surf(x, y, .004))
        if eye_map.seen(p, .08, 0) > .5:
            c, q = v.proj(p), .0155 * v.s
            sd.ellipse((c[0] - q, c[1] - q, c[0] + q, c[1] + q), fill=235)
            c, q = v.proj(v.pt(face.surf(side * .33 + g[0] * .055 - env["L"][0] * .03, -.02 + g[1] * .04, .004))), .009 * v.s
            sd.ellipse((c[0] - q, c[1] - q, c[0] + q, c[1] + q), fill=70)
    spot = spot.filter(ImageFilter.GaussianBlur(.0035 * v.s))
    layer.paste(Image.new("RGB", size, (255, 252, 246)), (0, 0), spot)

    # glasses: frame shadow first, then the frame
    def rim_pts(side, n=72):
        out = []
        for k in range(n + 1):
            a = 2 * math.pi * k / n
            c, s = math.cos(a), math.sin(a)
            x = .338 + .236 * math.copysign(abs(c) ** .92, c)
            y = -.015 + .215 * math.copysign(abs(s) ** .92, s)
            out.append((side * x, y, .985 - .16 * x * x))
        return out
    paths = [rim_pts(1), rim_pts(-1), [(lerp(-.108, .108, k / 10), .045 + .03 * math.sin(k / 10 * math.pi), .985 + .02 * math.sin(k / 10 * math.pi)) for k in range(11)]]
    arms = [[(s * lerp(.572, .80, k / 14), .06, lerp(.93, .05, k / 14)) for k in range(15)] for s in (1, -1)]
    sh = Image.new("L", size, 0)
    shd = ImageDraw.Draw(sh)
    L = env["L"]
    for p in paths:
        moved = [v.pt(q) for q in p]
        moved = [(q[0] - L[0] * .13, q[1] - L[1] * .13, q[2] - .1) for q in moved]
        shd.line([v.proj(q) for q in moved], fill=150, width=max(2, int(.034 * v.s)))
    sh = sh.filter(ImageFilter.GaussianBlur(.02 * v.s))
    layer.paste(ImageChops.multiply(layer, Image.new("RGB", size, (120, 84, 76))), (0, 0), ImageChops.multiply(sh, mask))
    lens = Image.new("L", size, 0)
    ld = ImageDraw.Draw(lens)
    for s in (1, -1):
        pr = [v.proj(v.pt(p)) for p in rim_pts(s)]
        m = Image.new("L", size, 0)
        ImageDraw.Draw(m).polygon(pr, fill=255)
        xs = [p[0] for p in pr]
        yy = [p[1] for p in pr]
        band = Image.new("L", size, 0)
        bd = ImageDraw.Draw(band)
        w, h = max(xs) - min(xs), max(yy) - min(yy)
        x0, y0 = min(xs) + w * .12, min(yy)
        bd.polygon([(x0, y0 + h), (x0 + w * .5, y0), (x0 + w * .72, y0), (x0 + w * .22, y0 + h)], fill=26)
        bd.polygon([(x0 + w * .32, y0 + h), (x0 + w * .8, y0), (x0 + w * .86, y0), (x0 + w * .38, y0 + h)], fill=18)
        band = band.filter(ImageFilter.GaussianBlur(.02 * v.s))
        lens = ImageChops.add(lens, ImageChops.multiply(band, m))
    layer.paste(Image.new("RGB", size, (250, 250, 255)), (0, 0), lens)
    d = ImageDraw.Draw(layer)
    dm = ImageDraw.Draw(mask)

    def tube(p, far):
        vp = [v.pt(q) for q in p]
        pr = [v.proj(q) for q in vp]
        w = .036 * v.s
        for width, alb, dx in ((w, FRAME, 0), (w * .55, tuple(q * 2.6 for q in FRAME), -.1), (w * .2, lin((230, 180, 130)), -.22)):
            for k, (a, b) in enumerate(zip(pr, pr[1:])):
                if far and eye_map.seen(vp[k], .12, 0) < .5:
                    continue
                mott = .75 + .5 * math.sin(k * .7) * math.sin(k * .23 + 1)
                n = unit((vp[k][0] * .2, .55, 1))
                c = shade(env, n, tuple(q * mott for q in alb), .12, .6, .4 + .6 * sun.seen(vp[k], .1, 1), False)
                o = dx * w
                d.line((a[0] + o, a[1] + o, b[0] + o, b[1] + o), fill=c, width=max(1, int(width + .5)))
                if width == w:
                    q = w / 2
                    d.ellipse((a[0] - q, a[1] - q, a[0] + q, a[1] + q), fill=c)
                    dm.line((a, b), fill=255, width=max(1, int(width + .5)))
    for a in arms:
        tube(a, True)
    for p in paths:
        tube(p, False)

    # hair strands, far to near
    segs = []
    H, LL, R = env["H"], env["L"], env["R"]
    for pts, tint, width, lay in strands(4242):
        vp = [v.pt(p) for p in pts]
        pr = [v.proj(p) for p in vp]
        base = mix(tuple(q * .55 for q in HAIR), HAIR_LIGHT, max(0, min(1, tint * .75)))
        for i in range(len(pts) - 1):
            p, q = vp[i], vp[i + 1]
            if eye_map.seen(p, .15, 0) < .5:
                continue
            o = pts[i]
            n = v.vec(unit((o[0] * 1.2, max(0, o[1] - .35) * 1.1, o[2])))
            t = unit((q[0] - p[0], q[1] - p[1], q[2] - p[2]))
            th = t[0] * H[0] + t[1] * H[1] + t[2] * H[2]
            ndl = n[0] * LL[0] + n[1] * LL[1] + n[2] * LL[2]
            vs = smooth(-.25, .5, ndl) * (.35 + .65 * sun.seen(p, .12, 1))
            sp = max(0, 1 - th * th) ** 18 * vs * .55
            up = .5 + .5 * n[1]
            fr = (1 - max(0, n[2])) ** 1.6
            rim = max(0, n[0] * R[0] + n[1] * R[1] + n[2] * R[2] + .1) * (.12 + fr)
            deep = .45 + .55 * min(1, lay / .04)
            c = []
            for k in range(3):
                e = env["key"][k] * vs * .85 + lerp(env["ground"][k], env["sky"][k], up) + env["fill"][k] * .5 * max(0, n[2]) \
                    + rim * env["rim"][k] * 1.3
                c.append(base[k] * e * deep + HAIR_LIGHT[k] * (sp * env["key"][k] * (.5 + tint) + rim * fr * env["rim"][k] * .5))
            taper = 1 - .75 * smooth(.72, 1, i / len(pts))
            segs.append((p[2] + lay * .5, pr[i], pr[i + 1], tone(c), max(1, int(width * taper * v.s + .5))))
    segs.sort(key=lambda q: q[0])
    for _, a, b, c, w in segs:
        d.line((a, b), fill=c, width=w)
        dm.line((a, b), fill=255, width=w)
    return layer, mask


def film(im, seed, amount):
    """Fine, roughly Gaussian grain."""
    w, h = im.size
    r = random.Random(seed)
    a = Image.frombytes("L", (w, h), r.randbytes(w * h))
    b = Image.frombytes("L", (w, h), r.randbytes(w * h))
    g = Image.blend(a, b, .5).filter(ImageFilter.GaussianBlur(.8))
    g = g.point(lambda v: max(0, min(255, int(128 + (v - 127.5) * amount))))
    return ImageChops.overlay(im, Image.merge("RGB", (g, g, g)))


def render(shot):
    w, h = shot["size"]
    k = min(2.0, max(1.0, 4000 / max(h, w)))
    size = (int(w * k), int(h * k))
    layer, mask = figure(shot, size)
    layer, mask = layer.resize((w, h), Image.LANCZOS), mask.resize((w, h), Image.LANCZOS)
    bg = background(shot["back"], (w, h), shot["seed"])
    # the backdrop's light wraps slightly round the figure
    wrap = bg.filter(ImageFilter.GaussianBlur(h * .012))
    inner = ImageChops.invert(mask.filter(ImageFilter.GaussianBlur(h * .007))).point(lambda v: int(v * .5))
    layer = Image.composite(ImageChops.screen(layer, wrap), layer, inner)
    im = Image.composite(layer, bg, mask)
    bloom = im.filter(ImageFilter.GaussianBlur(h * .012)).point(lambda v: max(0, v - 150))
    im = ImageChops.screen(im, bloom.point(lambda v: int(v * .35)))
    # vignette and grade
    vg = Image.new("L", (200, 200), 148)
    vd = ImageDraw.Draw(vg)
    for q in range(140, 0, -1):
        vd.ellipse((100 - q, 100 - q, 100 + q, 100 + q), fill=int(255 * (1 - .42 * smooth(60, 140, q))))
    vg = vg.resize((w, h), Image.BICUBIC)
    im = ImageChops.multiply(im, Image.merge("RGB", (vg,) * 3))
    im = film(im, shot["seed"], shot.get("grain", .16))
    path = OUT / shot["name"]
    save(im, path, shot["seed"])
    return path.name, im.size, path.stat().st_size


def save(im, path, seed):
    if path.suffix == ".png":
        im = im.quantize(palette=im.quantize(256, method=Image.MEDIANCUT), dither=Image.FLOYDSTEINBERG)
        im.save(path, optimize=True)
        return
    for quality in range(93, 50, -2):
        buf = io.BytesIO()
        if path.suffix == ".webp":
            im.save(buf, "WEBP", quality=quality, method=5)
        else:
            im.save(buf, "JPEG", quality=quality, optimize=True, progressive=quality % 4 == 1)
        if buf.tell() <= MAX_BYTES:
            break
    path.write_bytes(buf.getvalue())


# ----------------------------------------------------------------- the shots

def light(L, key, fill=(.10, .11, .13), amb=(.16, .17, .19), ground=(.10, .08, .07), R=(-.8, .4, -.5), rim=(0, 0, 0), fillL=None):
    return dict(L=L, key=key, fill=fill, sky=amb, ground=ground, R=R, rim=rim, fillL=fillL or (-L[0], .1, .8))


WARM = light((.55, .5, .75), (1.5, 1.22, .92), (.16, .13, .11), (.20, .18, .17), (.16, .11, .08), (-.8, .3, -.4), (.5, .4, .3))
SOFT = light((-.35, .55, .85), (1.16, 1.1, 1.04), (.26, .26, .27), (.26, .27, .29), (.14, .12, .11), (.8, .3, -.4), (.3, .3, .32))
COOL = light((-.6, .45, .7), (.98, 1.08, 1.22), (.12, .15, .2), (.18, .21, .27), (.1, .1, .12), (.85, .3, -.35), (.6, .75, 1.0))
LOWKEY = light((.85, .45, .42), (1.5, 1.3, 1.08), (.02, .02, .03), (.035, .035, .045), (.02, .018, .016), (-.85, .35, -.35), (.55, .62, .8))
DUSK = light((.5, .25, .75), (1.15, .86, .68), (.10, .12, .18), (.17, .18, .28), (.14, .10, .1), (-.8, .25, -.45), (1.7, .95, .5))
SUN = light((-.6, .75, .5), (1.45, 1.32, 1.08), (.22, .24, .2), (.24, .28, .28), (.17, .18, .1), (.7, .55, -.45), (1.1, 1.0, .7))
RIM = light((-.4, .5, .8), (.72, .74, .8), (.08, .09, .1), (.11, .12, .14), (.07, .06, .06), (.75, .5, -.45), (2.4, 2.2, 1.9))
NEON = light((-.8, .15, .6), (1.35, .42, .85), (.12, .42, .85), (.10, .08, .18), (.08, .04, .1), (.85, .2, -.2), (.14, .5, 1.2), (.8, .1, .5))
LAMP = light((.7, .35, .65), (1.45, 1.05, .68), (.10, .08, .07), (.16, .13, .11), (.12, .08, .06), (-.8, .4, -.4), (.5, .4, .3))
OVER = light((.15, .8, .75), (1.02, 1.03, 1.06), (.22, .23, .24), (.28, .30, .33), (.14, .13, .12), (-.8, .4, -.4), (.3, .3, .35))

SHOTS = [
    dict(name="01.jpg", size=(1600, 2000), seed=101, back="grey", light=SOFT, head=(0, 0, 0), body=(8, 0), scale=.46, at=(.5, .45),
         face=dict(smile=.25), wear=("crew", (38, 60, 84), (26, 44, 64))),
    dict(name="02.jpg", size=(1800, 2400), seed=102, back="bokeh", light=DUSK, head=(27, 2, 3), body=(18, 0), scale=.45, at=(.48, .45),
         face=dict(smile=.55, gaze=(.2, 0)), wear=("jacket", (52, 44, 46), (196, 186, 172))),
    dict(name="03.jpg", size=(1400, 1800), seed=103, back="park", light=SUN, head=(-26, 1, -3), body=(-16, 0), scale=.46, at=(.52, .45),
         face=dict(smile=.9, mouth=.55, eyes=.86), wear=("stripes", (226, 220, 208), (44, 62, 96))),
    dict(name="04.jpg", size=(2000, 2500), seed=104, back="dark", light=LOWKEY, head=(-14, -3, 0), body=(-8, 0), scale=.52, at=(.5, .46),
         face=dict(smile=-.1, eyes=.92), wear=("turtle", (34, 32, 36), (18, 17, 20)), grain=.2),
    dict(name="05.jpg", size=(1500, 2000), seed=105, back="dusk", light=DUSK, head=(12, 3, 11), body=(4, 2), scale=.40, at=(.47, .44),
         face=dict(smile=.4, brow=.25, gaze=(-.3, .1)), wear=("vee", (112, 42, 48), (80, 28, 34))),
    dict(name="06.png", size=(900, 1170), seed=106, back="teal", light=WARM, head=(6, 17, -4), body=(10, 0), scale=.45, at=(.5, .46),
         face=dict(smile=.2, brow=.4, gaze=(.1, .7)), wear=("turtle", (206, 188, 160), (168, 146, 116)), grain=.03),
    dict(name="07.jpg", size=(2400, 3000), seed=107, back="rose", light=WARM, head=(-8, 0, 4), body=(-4, 0), scale=.66, at=(.5, .49),
         face=dict(smile=.5, eyes=.95), wear=("crew", (232, 226, 216), (206, 198, 186)), grain=.10),
    dict(name="08.jpg", size=(1600, 2133), seed=108, back="brick", light=OVER, head=(18, 0, -3), body=(24, 0), scale=.29, at=(.47, .30),
         face=dict(smile=.3), wear=("plaid", (150, 46, 40), (30, 34, 44))),
    dict(name="09.png", size=(880, 1100), seed=109, back="neon", light=NEON, head=(-20, -1, 5), body=(-10, 0), scale=.46, at=(.51, .46),
         face=dict(smile=0, brow=-.1, furrow=.3, gaze=(.5, 0)), wear=("jacket", (30, 30, 36), (60, 60, 68)), grain=.03),
    dict(name="10.jpg", size=(2400, 1600), seed=110, back="sea", light=RIM, head=(20, 3, -6), body=(12, 0), scale=.54, at=(.38, .47),
         face=dict(smile=.8, mouth=.4, eyes=.88, gaze=(.5, .1)), wear=("shirt", (150, 178, 206), (110, 140, 176)), grain=.12),
    dict(name="11.jpg", size=(1700, 2200), seed=111, back="books", light=LAMP, head=(-33, -6, -4), body=(-28, 0), scale=.40, at=(.53, .40),
         face=dict(smile=.15, brow=.1, gaze=(.6, -.1)), wear=("knit", (74, 92, 66), (46, 60, 42))),
    dict(name="12.webp", size=(1440, 1800), seed=112, back="autumn", light=COOL, head=(0, 2, -12), body=(-6, -2), scale=.42, at=(.52, .45),
         face=dict(smile=1.0, mouth=.7, brow=.3, eyes=.84), wear=("knit", (196, 146, 62), (150, 104, 40))),
]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    want = [s for s in SHOTS if not sys.argv[1:] or s["name"][:2] in sys.argv[1:]]
    total = 0
    with Pool() as pool:
        for name, size, n in pool.imap(render, want):
            total += n
            print(f"{name}  {size[0]}x{size[1]}  {n // 1000} kB")
    print(f"{total // 1000} kB")


if __name__ == "__main__":
    main()
