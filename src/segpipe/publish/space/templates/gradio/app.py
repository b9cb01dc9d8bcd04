"""Gradio demo of $MODEL_REPO_ID: shows a picture's classes as an overlay, their shares and the mask."""

import html
import os
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData
from gradio.processing_utils import save_bytes_to_cache
from predictor import BadPictureError, Prediction, Predictor, model_folder

REPO_ID = "$MODEL_REPO_ID"
REVISION = "$MODEL_COMMIT"
VERSION = "$MODEL_VERSION"
CARD_URL = "$MODEL_REPO_URL"

ROW = """<div style="display:flex;align-items:center;gap:.6em;margin:.35em 0">
<span style="width:1em;height:1em;border-radius:3px;background:{colour}"></span>
<span style="flex:0 0 9em">{name}</span>{bar}</div>"""
BAR = """<span style="flex:1;background:rgba(128,128,128,.2);border-radius:3px">
<span style="display:block;height:.6em;width:{share:.1%};border-radius:3px;background:{colour}"></span></span>
<span style="flex:0 0 4em;text-align:right">{share:.1%}</span>"""

HERE = Path(__file__).parent
PREDICTOR = Predictor(model_folder(REPO_ID, REVISION))
KEPT_S = 3600
EXAMPLES = sorted(str(path) for path in (HERE / "examples").rglob("*") if path.is_file())


class Upload(gr.Image):
    """An Image that hands over the file as it came: decoding it is the predictor's, which explains what is wrong."""

    is_template = True  # To the browser it is Gradio's own Image.

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the upload."""
        return payload.path if payload else None


def legend(shares: dict[str, float] | None = None) -> str:
    """The classes in their colours, as HTML; with a bar and a percentage each once a picture was segmented."""
    rows = []
    for name, (r, g, b) in zip(PREDICTOR.classes, PREDICTOR.palette.tolist(), strict=True):
        colour = f"rgb({r},{g},{b})"
        bar = "" if shares is None else BAR.format(share=shares[name], colour=colour)
        rows.append(ROW.format(name=html.escape(name), colour=colour, bar=bar))
    return "".join(rows)


def segment(path: str | None, opacity: float) -> tuple:
    """Runs the model on an uploaded file; returns prediction, overlay, legend, mask file, summary and upload."""
    if path is None:  # Taken away by the person, which `cleared` answers, or by us, whose sentence stays.
        return (gr.skip(),) * 6
    try:
        prediction = PREDICTOR.predict(Path(path).read_bytes())
    except BadPictureError as error:  # The browser could show its broken-image icon only: the upload is taken away.
        return *cleared(f"⚠️ **Not segmented.** {error}"), None
    mask_path = save_bytes_to_cache(prediction.mask_png(), f"{Path(path).stem}-mask.png", mask.GRADIO_CACHE)
    height, width = prediction.mask.shape
    summary = f"{width} × {height} pixels · mean confidence {prediction.confidence:.0%}"
    return (
        prediction,
        overlay(prediction, opacity),
        legend(prediction.shares),
        gr.File(mask_path, visible=True),
        summary,
        gr.skip(),
    )


def cleared(summary: str = "") -> tuple:
    """Prediction, overlay, legend, mask file and summary while there is no picture."""
    return None, None, legend(), gr.File(visible=False), summary


def overlay(prediction: Prediction | None, opacity: float) -> np.ndarray | None:
    """The picture with its classes laid over, or nothing before the first picture."""
    return None if prediction is None else prediction.overlay(PREDICTOR.palette, opacity)


# Uploads and masks are files of Gradio's cache: without a limit, each visitor would leave some for good. Examples stay.
with gr.Blocks(title=f"Segmentation: {REPO_ID}", delete_cache=(KEPT_S, KEPT_S)) as demo:
    gr.Markdown(
        f"# {REPO_ID.split('/')[-1]}\n"
        f"Upload a picture{' or pick an example' if EXAMPLES else ''}: "
        f"every pixel gets one of {len(PREDICTOR.classes)} classes. "
        f"[Model card]({CARD_URL}) · version `{VERSION}`"
    )
    state = gr.State()
    with gr.Row():
        with gr.Column():
            upload = Upload(label="Picture", sources=["upload", "clipboard"], height=360)
            opacity = gr.Slider(0, 1, value=0.6, step=0.05, label="Opacity of the overlay")
            if EXAMPLES:
                gr.Examples(EXAMPLES, inputs=upload, label="Examples")
        with gr.Column():
            result = gr.Image(
                label="Segmentation", elem_id="overlay", format="png", height=360, interactive=False,
                buttons=["download", "fullscreen"],
            )  # fmt: skip
            summary = gr.Markdown()
            shares = gr.HTML(legend())
            mask = gr.File(label="Mask (PNG of class ids)", elem_id="mask", interactive=False, visible=False)
    answer = [state, result, shares, mask, summary]
    upload.change(segment, [upload, opacity], [*answer, upload], api_name="segment")
    upload.clear(cleared, None, answer, api_visibility="private")
    opacity.change(overlay, [state, opacity], result, show_progress="hidden", api_visibility="private")

if __name__ == "__main__":
    demo.launch(server_port=int(os.environ["PORT"]) if "PORT" in os.environ else None, footer_links=[])
