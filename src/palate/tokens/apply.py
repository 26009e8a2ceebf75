"""apply_policy and check_policy: make a tokenizer follow a policy, and prove at load that it still does."""

from palate.errors import TokenPolicyError
from palate.tokens.chat import own_template
from palate.tokens.policy import TokenPolicy
from palate.tokens.tokenizer import Tokenizer, token_id


def apply_policy(tokenizer: Tokenizer, policy: TokenPolicy) -> None:
    """Add the tokens that the policy needs and set what plain transformers reads. Doing it twice changes nothing.

    Sets the pad token, right padding (positions then count from the first real token, which GPT-2 needs), the chat
    template, and EOS where the tokenizer names none.

    Raises:
        TokenPolicyError: a token would get another id than the policy says: the policy was made for another tokenizer.
    """
    if policy.end_token is not None and policy.end_id is not None:
        _add(tokenizer, policy.end_token, policy.end_id)
        if tokenizer.eos_token is None and policy.template != "chat":  # a template may write the EOS it is told
            tokenizer.eos_token = policy.end_token
    _add(tokenizer, policy.pad_token, policy.pad_id)
    if tokenizer.pad_token != policy.pad_token:
        tokenizer.pad_token = policy.pad_token
    tokenizer.padding_side = "right"
    if policy.template_text is not None:
        tokenizer.chat_template = policy.template_text


def _add(tokenizer: Tokenizer, token: str, wanted: int) -> None:
    if token_id(tokenizer, token) is None:
        from tokenizers import AddedToken

        tokenizer.add_tokens([AddedToken(token, special=True, normalized=False)], special_tokens=True)
    _check_id(tokenizer, token, wanted)


def _check_id(tokenizer: Tokenizer, token: str, wanted: int) -> None:
    found = token_id(tokenizer, token)
    if found != wanted:
        has = "does not exist" if found is None else f"has the id {found}"
        raise TokenPolicyError(
            f"the token {token!r} {has} in this tokenizer and has the id {wanted} in the policy, which was made for "
            "another tokenizer. Use the checkpoint's own tokenizer files."
        )


def check_policy(tokenizer: Tokenizer, policy: TokenPolicy, embedding_rows: int) -> None:
    """Prove that a tokenizer and a model fit a policy.

    Args:
        tokenizer: the one loaded beside the model, the policy applied.
        policy: the contract's.
        embedding_rows: rows of the model's input embedding, as it is.

    Raises:
        TokenPolicyError: a token has another id, an id no row in the embedding, or the chat template is another one.
    """
    wanted = {policy.pad_token: policy.pad_id}
    if policy.end_token is not None and policy.end_id is not None:
        wanted[policy.end_token] = policy.end_id
    for token, at in wanted.items():
        _check_id(tokenizer, token, at)
        if at >= embedding_rows:
            raise TokenPolicyError(
                f"the token {token!r} has the id {at}, but the model's embedding has {embedding_rows} rows: "
                f"grow it to {policy.rows_needed} (model.resize_token_embeddings) or load the checkpoint whole."
            )
    if policy.bos_id is not None and policy.bos_id >= embedding_rows:
        raise TokenPolicyError(f"BOS has the id {policy.bos_id}, but the model's embedding has {embedding_rows} rows.")
    if policy.template == "chat" and own_template(tokenizer) != policy.template_text:
        raise TokenPolicyError(
            "the tokenizer's chat template is not the one that the policy was made with: other tools would render "
            "other tokens. Restore the checkpoint's tokenizer files."
        )
