"""Streamlit demo of $MODEL_REPO_ID: shows a picture's classes as an overlay, their shares and the mask."""

import gc
import html
from pathlib import Path

import streamlit as st
from predictor import BadPictureError, Prediction, Predictor, model_folder

REPO_ID = "$MODEL_REPO_ID"
REVISION = "$MODEL_COMMIT"
VERSION = "$MODEL_VERSION"
CARD_URL = "$MODEL_REPO_URL"

HERE = Path(__file__).parent
EXAMPLES = sorted(path for path in (HERE / "examples").rglob("*") if path.is_file())

ROW = """<div style="display:flex;align-items:center;gap:.6em;margin:.35em 0">
<span style="width:1em;height:1em;border-radius:3px;background:{colour}"></span>
<span style="flex:0 0 9em">{name}</span>{bar}</div>"""
BAR = """<span style="flex:1;background:rgba(128,128,128,.2);border-radius:3px">
<span style="display:block;height:.6em;width:{share:.1%};border-radius:3px;background:{colour}"></span></span>
<span style="flex:0 0 4em;text-align:right">{share:.1%}</span>"""


@st.cache_resource(show_spinner="Loading the model…")
def load() -> Predictor:
    """The model, loaded once for all visitors."""
    predictor = Predictor(model_folder(REPO_ID, REVISION))
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after every draw, which took a quarter second over TensorFlow's objects.
    return predictor


@st.cache_data(max_entries=8, show_spinner=False)
def segment(content: bytes) -> Prediction:
    """Runs the model once per picture, however often the page is drawn again."""
    return load().predict(content)


def chosen() -> tuple[str, bytes] | None:
    """Name and bytes of the uploaded picture or the picked example."""
    uploaded = st.file_uploader("Picture", type=["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"])
    if uploaded is not None:
        return uploaded.name, uploaded.getvalue()
    if EXAMPLES:
        example = st.selectbox("…or an example", EXAMPLES, index=None, format_func=lambda path: path.name)
        if example is not None:
            return example.name, example.read_bytes()
    return None


def legend(shares: dict[str, float] | None = None) -> str:
    """The classes in their colours, as HTML; with a bar and a percentage each once a picture was segmented."""
    predictor = load()
    rows = []
    for name, (r, g, b) in zip(predictor.classes, predictor.palette.tolist(), strict=True):
        colour = f"rgb({r},{g},{b})"
        bar = "" if shares is None else BAR.format(share=shares[name], colour=colour)
        rows.append(ROW.format(name=html.escape(name), colour=colour, bar=bar))
    return "".join(rows)


def show(name: str, content: bytes) -> None:
    """Draws picture and overlay, the legend with shares, and the download."""
    try:
        prediction = segment(content)
    except BadPictureError as error:
        st.error(str(error))
        st.html(legend())
        return
    opacity = st.slider("Opacity of the overlay", 0.0, 1.0, 0.6, 0.05)
    left, right = st.columns(2)
    left.image(prediction.picture, width="stretch")
    right.image(prediction.overlay(load().palette, opacity), width="stretch")
    height, width = prediction.mask.shape
    st.caption(f"{width} × {height} pixels · mean confidence {prediction.confidence:.0%}")
    st.html(legend(prediction.shares))
    st.download_button("Download the mask (PNG of class ids)", prediction.mask_png(), f"{Path(name).stem}-mask.png")


st.set_page_config(page_title=f"Segmentation: {REPO_ID}", layout="wide")
st.title(REPO_ID.split("/")[-1])
st.markdown(
    f"Upload a picture{' or pick an example' if EXAMPLES else ''}: "
    f"every pixel gets one of {len(load().classes)} classes. "
    f"[Model card]({CARD_URL}) · version `{VERSION}`"
)
picture = chosen()
if picture is None:
    st.html(legend())
else:
    show(*picture)
