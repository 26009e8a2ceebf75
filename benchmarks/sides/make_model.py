"""A side: writes a seeded random sequence classifier for a config."""

import torch
from sides.exchange import read_job, write_figures
from transformers import AutoConfig, AutoModelForSequenceClassification


def main() -> None:
    job = read_job()
    options = dict(job["config"])
    config = AutoConfig.for_model(
        options.pop("model_type"), **options, num_labels=1, problem_type="regression", pad_token_id=1, eos_token_id=0
    )
    torch.manual_seed(0)
    with torch.device(job["device"]):
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(job["out"])
    write_figures({"seconds": 0.0})


if __name__ == "__main__":
    main()
