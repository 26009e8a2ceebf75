"""A side: TRL's RewardTrainer on the job's pairs, in the job's order, without gradient checkpointing."""

import tempfile
from importlib.metadata import version

import torch
from datasets import Dataset
from sides.exchange import Meter, peak_memory_bytes, read_job, write_figures
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer


def main() -> None:
    job = read_job()
    steps = job["steps"]
    pairs = [{"chosen_ids": best, "rejected_ids": other} for step in steps for best, other in step]
    model = AutoModelForSequenceClassification.from_pretrained(
        job["model"], dtype=getattr(torch, job["weights_dtype"]), attn_implementation=job["attention"]
    )
    with tempfile.TemporaryDirectory() as folder:
        config = RewardConfig(
            output_dir=folder,
            per_device_train_batch_size=len(steps[0]),
            max_steps=len(steps),
            train_sampling_strategy="sequential",  # the same lists a step on both sides
            gradient_checkpointing=False,
            torch_compile=job["compile"],
            bf16=job["dtype"] == "bfloat16",
            logging_steps=1,
            report_to=[],
            save_strategy="no",
            max_length=None,
            use_cpu=job["device"] == "cpu",
            learning_rate=job["learning_rate"],
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            seed=0,
        )
        trainer = RewardTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(pairs),
            processing_class=AutoTokenizer.from_pretrained(job["tokenizer"]),
        )
        meter = Meter(trainer.model.get_input_embeddings(), job["device"], compiled=job["compile"])
        whole = trainer.train().metrics["train_runtime"]
    write_figures(
        {
            "seconds": meter.seconds(whole, job["warmup_steps"]),
            "step_seconds": meter.step_seconds,
            "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
            "tokens_computed": meter.tokens,
            "peak_memory_bytes": peak_memory_bytes(job["device"]),
            "versions": {name: version(name) for name in ("trl", "transformers", "torch")},
        }
    )


if __name__ == "__main__":
    main()
