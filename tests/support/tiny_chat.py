"""A tiny causal language model with random weights and a chat template, for fine-tuning in tests."""

from pathlib import Path

# as strict as the templates of published models: it refuses roles that do not alternate
TEMPLATE = """
{%- for message in messages %}
{%- if message.role != ("assistant" if loop.index0 % 2 else "user") %}
{{- raise_exception("roles must alternate, the user first") }}
{%- endif %}
{{- "<" ~ message.role ~ ">" ~ message.content ~ "<end>" }}
{%- endfor %}
"""


def save_tiny_chat_model(folder: Path) -> Path:
    """Save the model, with a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<pad>", "<end>", "<user>", "<assistant>"]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>", chat_template=TEMPLATE
    ).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), eos_token_id=1, pad_token_id=0, **shape)).save_pretrained(
        folder
    )
    return folder
