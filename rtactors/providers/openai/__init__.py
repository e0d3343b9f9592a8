"""OpenAI Realtime, and the servers that speak its protocol."""

from rtactors.providers.openai.adapter import OpenAIRealtime
from rtactors.providers.openai.wire import (
    FunctionChoice,
    FunctionTool,
    McpChoice,
    McpTool,
    SemanticVad,
    ServerVad,
    Transcription,
    VoiceId,
)

__all__ = [
    "FunctionChoice",
    "FunctionTool",
    "McpChoice",
    "McpTool",
    "OpenAIRealtime",
    "SemanticVad",
    "ServerVad",
    "Transcription",
    "VoiceId",
]
