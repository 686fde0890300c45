"""What a GGUF file calls the types of the tokens in ``tokenizer.ggml.token_type``.

=  ============  ==============================================================================
1  normal        made by joining
2  unknown       stands for characters without a token
3  control       a special token: no text becomes it unless special tokens are asked for
4  user-defined  found in every text before anything is joined
5  unused        no text becomes it
6  byte          ``<0xE4>``: one byte of a character without a token
=  ============  ==============================================================================

Source: the specification of GGUF in ggml's repository, docs/gguf.md, and ``llama_token_type`` of llama.cpp.
"""

PREFIX = "tokenizer.ggml."  # of the names of fields
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
