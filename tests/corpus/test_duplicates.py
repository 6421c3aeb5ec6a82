"""Near-duplicates: the same film however it was changed, and never two films."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from handmade import arrival, corpus_of
from xemplar.corpus import Corpus, duplicates
from xemplar.corpus.duplicates import groups, near_duplicates
from xemplar.corpus.landmarks import COUNT, MIRRORED, NEGATIVE, PACKED, landmarks_of, unpacked
from xemplar.folders import writing
from xemplar.images import PreviewSpec, preview_from_array


def film(seed, side=300):
    """A picture with soft shapes of all sizes, no two seeds alike."""
    random = np.random.default_rng(seed)
    made = sum(
        scale
        * cv2.resize(random.standard_normal((cells, cells)), (side, side), interpolation=cv2.INTER_CUBIC)
        for cells, scale in ((4, 4), (9, 2), (20, 1.4), (45, 1))
    )
    return np.clip(128 + 18 * made, 12, 255).astype(np.uint8)


def jpeg(array, quality):
    return cv2.imdecode(cv2.imencode(".jpg", array, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def turned(array, degrees):
    side = array.shape[0]
    return cv2.warpAffine(array, cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1), (side, side))


CHANGES = {
    "same": lambda a: a,
    "jpeg": lambda a: jpeg(a, 30),
    "half": lambda a: cv2.resize(a, (150, 150), interpolation=cv2.INTER_AREA),
    "twice": lambda a: cv2.resize(a, (600, 600)),
    "gamma": lambda a: (255 * (a / 255) ** 0.6).astype(np.uint8),
    "flatter": lambda a: (a * 0.6 + 60).astype(np.uint8),
    "inverted": lambda a: 255 - a,
    "mirrored": lambda a: a[:, ::-1],
    "turned": lambda a: turned(a, 3),
    "cropped left": lambda a: a[:, 45:],
    "cropped right": lambda a: a[:, :-45],
    "cropped top": lambda a: a[45:],
    "cropped bottom": lambda a: a[:-45],
    "cropped all round": lambda a: a[25:-25, 20:-30],
    "all at once": lambda a: jpeg((255 * (a[20:-20, 30:-10][:, ::-1] / 255) ** 1.3).astype(np.uint8), 50),
}


def previews(*arrays):
    return [preview_from_array(np.ascontiguousarray(array), PreviewSpec(size=256)).pixels for array in arrays]


def looked_at(*arrays):
    return [(pixels, landmarks_of(pixels)) for pixels in previews(*arrays)]


def found(*arrays, others=()):
    """Pairs among `others`, looked at before, and these."""
    pixels, landmarks = zip(*others, *looked_at(*arrays), strict=True)
    return near_duplicates(np.stack(landmarks), pixels.__getitem__).tolist()


@pytest.fixture(scope="module")
def six():
    return looked_at(*map(film, range(6)))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others(change, six):
    assert found(CHANGES[change](film(0)), others=six) == [[0, 6]]


def test_other_films_are_not():
    assert found(*map(film, range(12))) == []


def test_blank_films_have_no_landmarks():
    blank, noise = np.full((90, 90), 70, np.uint8), np.zeros((90, 90), np.uint8)
    assert not landmarks_of(blank).any() and not landmarks_of(noise).any()
    assert found(blank, blank) == []


def test_landmarks_survive_packing_and_mirroring():
    """Mirrored, a landmark lies on the other side and looks the same; its form says that it is mirrored."""
    (one, other) = (unpacked(landmarks_of(each)) for each in previews(film(3), film(3)[:, ::-1]))
    alike = one.looks @ other.looks.T
    rows = np.flatnonzero(alike.max(axis=1) > 0.99)
    assert len(rows) > COUNT // 2
    match = alike.argmax(axis=1)
    assert np.median(np.abs(one.points[rows, 0] + other.points[match[rows], 0] - 95)) < 1
    assert np.median(np.abs(one.points[rows, 1] - other.points[match[rows], 1])) < 1
    forms = one.forms[rows] ^ other.forms[match[rows]]
    assert (forms == MIRRORED).mean() > 0.9


def test_an_inverted_film_has_the_same_landmarks_but_for_their_form():
    (one, other) = (unpacked(landmarks_of(each)) for each in previews(film(3), 255 - film(3)))
    alike = one.looks @ other.looks.T
    rows = np.flatnonzero(alike.max(axis=1) > 0.99)
    assert len(rows) > COUNT // 2
    assert ((one.forms[rows] ^ other.forms[alike.argmax(axis=1)[rows]]) == NEGATIVE).mean() > 0.9


def test_landmarks_are_the_same_at_every_call():
    (pixels,) = previews(film(3))
    first = landmarks_of(pixels)
    assert first.shape == (COUNT, PACKED)
    assert np.array_equal(first, landmarks_of(pixels.copy()))


def test_cells_find_what_a_whole_search_finds(monkeypatch):
    pixels = previews(*[film(n) for n in range(40)], *[film(n)[20:, 20:] for n in range(0, 40, 4)])
    packed = np.stack([landmarks_of(one) for one in pixels])
    wanted = [[4 * n, 40 + n] for n in range(10)]
    assert near_duplicates(packed, pixels.__getitem__).tolist() == wanted
    monkeypatch.setattr(duplicates, "_FLAT_UP_TO", 0)
    assert near_duplicates(packed, pixels.__getitem__).tolist() == wanted


def test_pairs_across_parts_and_within_them_are_all_pairs():
    looked = looked_at(*map(film, range(4)), *[film(n)[20:, 20:] for n in range(4)], film(0)[10:])
    pixels, packed = [one for one, _ in looked], np.stack([one for _, one in looked])
    parts = np.array([0, 0, 1, 0, 0, 2, 1, 0, 2])  # 0 is the largest
    across = near_duplicates(packed, pixels.__getitem__, parts, across=True).tolist()
    assert across == [[0, 8], [1, 5], [4, 8]]
    assert near_duplicates(packed, pixels.__getitem__, parts).tolist() == [[0, 4], [2, 6], [3, 7]]
    every = near_duplicates(packed, pixels.__getitem__).tolist()
    assert every == sorted([*across, [0, 4], [2, 6], [3, 7]])


@pytest.mark.parametrize("flat_up_to", [20_000, 0])
def test_many_copies_in_one_part_do_not_hide_the_one_in_another(flat_up_to, six, monkeypatch):
    monkeypatch.setattr(duplicates, "_FLAT_UP_TO", flat_up_to)
    (copy,) = looked_at(film(0)[10:])
    pixels, landmarks = zip(*[*six] * 3, *[copy] * 12, strict=True)
    parts = np.repeat([0, 1], [18, 12])
    found = near_duplicates(np.stack(landmarks), pixels.__getitem__, parts, across=True)
    assert set(found[:, 1]) == set(range(18, 30)) and set(found[:, 0]) == {0, 6, 12}


def test_groups_hang_together_by_any_pair():
    assert groups([(5, 1), (1, 3), (0, 4)], 7) == [[0, 4], [1, 3, 5]]
    assert groups([], 3) == []


@pytest.mark.shared
def test_real_films_of_patients_are_told_apart(shared_data):
    """60 films of Hannover, many of one patient on following days, and changed copies of ten."""
    folder = shared_data / "hannover"
    with (folder / "metadata.csv").open() as table:
        rows = list(csv.DictReader(table))[100:160]
    films = [cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE) for row in rows]
    copies = [jpeg(one[15:, :-20][:, ::-1], 60) for one in films[::6]]
    assert found(*films, *copies) == [[6 * n, 60 + n] for n in range(10)]


# --- in a corpus -----


class Drawn:
    """A drawn film, changed or not."""

    def __init__(self, seed, change=lambda a: a):
        self.seed, self.change = seed, change

    def draw(self):
        return np.ascontiguousarray(self.change(film(self.seed)))


def drawn(number, seed, change=lambda a: a, **fields):
    return arrival(number, patient=f"p{number}", images=[Drawn(seed, change)], **fields)


def views(corpus):
    return [study.views[0].view_id for study in corpus.studies]


def test_a_corpus_groups_its_views_and_finds_old_ones_again_when_it_grows(tmp_path):
    preview = PreviewSpec(size=128)
    first = [drawn(1, 1), drawn(2, 2), drawn(3, 1, CHANGES["jpeg"])]
    corpus = corpus_of(first, tmp_path, preview=preview)
    one, two, three = views(corpus)
    assert corpus.near_duplicates == ((one, three),)
    grown = corpus_of([*first, drawn(4, 2, CHANGES["mirrored"])], tmp_path, preview=preview)
    assert grown.near_duplicates == ((one, three), (two, views(grown)[3]))
    assert grown.check() == Corpus.open(tmp_path).check()


def test_what_was_found_is_kept_and_read_again(tmp_path, monkeypatch):
    corpus = corpus_of([drawn(1, 1), drawn(2, 1)], tmp_path)
    kept = corpus.near_duplicates
    assert len(kept) == 1
    monkeypatch.setattr(duplicates, "near_duplicates", lambda *_: pytest.fail("sought again"))
    assert Corpus.open(tmp_path).near_duplicates == kept


def test_pairs_across_splits_are_sought_once_and_by_themselves(tmp_path, monkeypatch):
    """What scoring needs is kept when the whole is asked for, and nothing is sought twice."""
    asked, seek = [], duplicates.near_duplicates

    def counted(*given, across):
        asked.append(across)
        return seek(*given, across=across)

    monkeypatch.setattr(duplicates, "near_duplicates", counted)
    splits = ("train", "test", "test")
    arrivals = [drawn(n, 1, split=split) for n, split in enumerate(splits)]
    corpus = corpus_of(arrivals, tmp_path)
    assert len(corpus.copies) == 3 and asked == [True]
    assert [len(group) for group in Corpus.open(tmp_path).near_duplicates] == [3]
    assert asked == [True, False]
    again = Corpus.open(tmp_path)
    assert again.copies == corpus.copies and len(again.near_duplicates) == 1 and asked == [True, False]


def test_nothing_is_kept_while_somebody_writes(tmp_path):
    corpus = corpus_of([drawn(1, 1), drawn(2, 1)], tmp_path)
    with writing(tmp_path):
        assert len(corpus.near_duplicates) == 1
    assert not (tmp_path / "near_duplicates.json").exists()
    assert len(Corpus.open(tmp_path).near_duplicates) == 1
    assert (tmp_path / "near_duplicates.json").exists()


def test_damaged_keepings_are_found_again(tmp_path):
    corpus = corpus_of([drawn(1, 1), drawn(2, 1)], tmp_path)
    kept = corpus.near_duplicates
    path = tmp_path / "near_duplicates.json"
    path.write_bytes(path.read_bytes().replace(b'"pairs"', b'"hairs"'))
    assert Corpus.open(tmp_path).near_duplicates == kept


def test_a_file_twice_is_a_duplicate_even_without_landmarks_and_a_blank_one_is_not(tmp_path):
    plain = np.zeros((90, 90), np.uint8)
    plain[20:70, 20:70] = np.linspace(40, 200, 50, dtype=np.uint8)
    Image.fromarray(plain).save(tmp_path / "plain.png")
    Image.fromarray(np.full((90, 90), 9, np.uint8)).save(tmp_path / "blank.png")
    images = [tmp_path / name for name in ("plain.png", "plain.png", "blank.png", "blank.png")]
    corpus = corpus_of([arrival(n, images=[one]) for n, one in enumerate(images)], tmp_path / "c")
    assert corpus.near_duplicates == (tuple(views(corpus)[:2]),)


def test_studies_with_a_film_of_another_split_are_held_apart_from_and_counted(tmp_path):
    splits = ("train", "train", "test", "test", "test")
    seeds = (1, 2, 1, 3, 3)
    arrivals = [drawn(n, s, split=split) for n, (s, split) in enumerate(zip(seeds, splits, strict=True))]
    corpus = corpus_of(arrivals, tmp_path)
    ids = [study.study_id for study in corpus.studies]
    assert corpus.copies == {ids[0]: {ids[2]}, ids[2]: {ids[0]}}
    kept, count = corpus.held_apart(corpus.part("test"))
    assert ([study.study_id for study in kept], count) == (ids[3:], 1)  # a copy in its own split stays
