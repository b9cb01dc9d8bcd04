"""Gradio demo of $MODEL_REPO_ID: a picture in; its classes as an overlay, their shares and the mask out."""

import os
import tempfile
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData
from predictor import BadPictureError, Prediction, Predictor, model_folder

REPO_ID = "$MODEL_REPO_ID"
REVISION = "$MODEL_COMMIT"
VERSION = "$MODEL_VERSION"
CARD_URL = "$MODEL_REPO_URL"

HERE = Path(__file__).parent
PREDICTOR = Predictor(model_folder(REPO_ID, REVISION))
EXAMPLES = sorted(str(path) for path in (HERE / "examples").glob("*")) if (HERE / "examples").is_dir() else []


class Upload(gr.Image):
    """An Image that hands over the file as it was uploaded; re-encoding would change what the model sees."""

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the upload."""
        return payload.path if payload else None


def legend() -> str:
    """The classes and their colours, as HTML."""
    chips = (
        f'<span style="display:inline-flex;align-items:center;gap:.4em;margin-right:1em">'
        f'<span style="width:1em;height:1em;border-radius:3px;background:rgb({r},{g},{b})"></span>{name}</span>'
        for name, (r, g, b) in zip(PREDICTOR.classes, PREDICTOR.palette.tolist(), strict=True)
    )
    return f'<div id="legend">{"".join(chips)}</div>'


def segment(path: str | None, opacity: float) -> tuple:
    """Runs the model on an uploaded file; returns prediction, overlay, shares, mask file and confidence."""
    if path is None:
        return None, None, None, None, ""
    try:
        prediction = PREDICTOR.predict(Path(path).read_bytes())
    except BadPictureError as error:
        raise gr.Error(str(error), title="Not segmented", print_exception=False) from None
    folder = Path(tempfile.mkdtemp(prefix="mask-"))
    mask_path = folder / f"{Path(path).stem}-mask.png"
    mask_path.write_bytes(prediction.mask_png())
    height, width = prediction.mask.shape
    summary = f"{width} × {height} pixels · mean confidence {prediction.confidence:.0%}"
    return prediction, overlay(prediction, opacity), prediction.shares, str(mask_path), summary


def overlay(prediction: Prediction | None, opacity: float) -> np.ndarray | None:
    """The picture with its classes laid over, or nothing before the first picture."""
    return None if prediction is None else prediction.overlay(PREDICTOR.palette, opacity)


with gr.Blocks(title=f"Segmentation: {REPO_ID}") as demo:
    gr.Markdown(
        f"# {REPO_ID.split('/')[-1]}\n"
        f"Upload a picture or pick an example: every pixel gets one of {len(PREDICTOR.classes)} classes. "
        f"[Model card]({CARD_URL}) · version `{VERSION}`"
    )
    state = gr.State()
    with gr.Row():
        with gr.Column():
            upload = Upload(label="Picture", sources=["upload", "clipboard"], height=360, elem_id="picture")
            opacity = gr.Slider(0, 1, value=0.6, step=0.05, label="Opacity of the overlay")
            if EXAMPLES:
                gr.Examples(EXAMPLES, inputs=upload, label="Examples")
        with gr.Column():
            result = gr.Image(label="Segmentation", format="png", height=360, interactive=False, elem_id="overlay")
            gr.HTML(legend())
            summary = gr.Markdown(elem_id="summary")
            shares = gr.Label(label="Share of the picture", num_top_classes=len(PREDICTOR.classes))
            mask = gr.File(label="Mask (PNG of class ids)", elem_id="mask", interactive=False)
    upload.change(segment, [upload, opacity], [state, result, shares, mask, summary], api_name="segment")
    opacity.change(overlay, [state, opacity], result, show_progress="hidden", api_visibility="private")

if __name__ == "__main__":
    demo.launch(server_port=int(os.environ["PORT"]) if "PORT" in os.environ else None, footer_links=[])
