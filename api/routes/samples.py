"""Samples of a generator, drawn by a worker while the client waits."""

from __future__ import annotations

import base64
import secrets
from functools import partial
from typing import Any

from anyio import CapacityLimiter, WouldBlock, to_thread
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api import ratelimit
from api.asking import asked
from api.auth import Submitter
from api.logs import log
from api.problems import KINDS, Problem
from api.releasing import served
from api.routes.documented import errors
from api.routes.generators import GeneratorId
from api.schemas.generators import SampleImage, SamplesObject, SamplesRequest
from api.services import Services, Use
from jobs import quotas
from jobs.audit import Action
from jobs.errors import SampleTimeout
from jobs.samples import MalformedReply, SampleFailure, SampleReply, decode

router = APIRouter(prefix="/v1/generators", tags=["Generators"])

DRAWN_SEED_LIMIT = 2**32
"""Seeds that the service draws stay below this: every JSON reader holds such a number exactly, and so does a person
who copies it."""

_IMAGES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One PNG (`png`, `grid`), or every image by itself (`json`).",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "X-Lethe-Seed": {"description": "The seed that was used.", "schema": {"type": "integer"}},
            "X-Lethe-Generator": {"description": "The generator's id.", "schema": {"type": "string"}},
            "X-Lethe-Forgotten": {
                "description": "`true` where the concept, or a word of the prompt, is one that the generator has "
                "forgotten.",
                "schema": {"type": "string", "enum": ["true", "false"]},
            },
            **ratelimit.DOCUMENTED,
        },
    }
}


@router.post(
    "/{generator_id}/samples",
    operation_id="draw_samples",
    summary="Draw samples",
    response_model=SamplesObject,
    responses={
        **_IMAGES,
        **errors(
            "malformed",
            "too_large",
            "unsupported_media_type",
            "invalid_request",
            "generator_not_found",
            "deleted",
            "generator_withheld",
            "too_many",
            "quota_exceeded",
            "samples_unavailable",
        ),
    },
)
async def draw_samples(generator_id: GeneratorId, body: SamplesRequest, who: Submitter, use: Use) -> Response:
    """Draw images of one concept, or of one prompt. Image i depends on the generator, `seed + i` and what is asked for
    alone: not on `n`, not on the worker. A withheld generator is not sampled; a prompt that names what is forgotten is
    answered, and `X-Lethe-Forgotten` says so."""
    generator = await run_in_threadpool(served, use, generator_id, who.tenant)
    seed = body.seed if body.seed is not None else secrets.randbelow(DRAWN_SEED_LIMIT)
    wanted = asked(use, generator, body, seed)
    booked = await run_in_threadpool(quotas.take_samples, use.engine, who.tenant, body.n)
    said = wanted.to_log(body, use.settings.log_prompts)
    log.info("samples", generator=generator.id, n=body.n, seed=seed, **said)
    reply = await _ask(use, generator.id, wanted.to_sampler(body, seed), images=body.n if body.format == "json" else 1)
    drawn = {"n": body.n, "seed": seed, **wanted.to_audit(body)}
    note = partial(use.audit.note, who.actor, Action.GENERATOR_SAMPLE, who.tenant, generator.id, drawn)
    await run_in_threadpool(note)
    headers = {
        "X-Lethe-Seed": str(seed),
        "X-Lethe-Generator": generator.id,
        "X-Lethe-Forgotten": "true" if wanted.forgotten else "false",
        "Cache-Control": "no-store",
        **ratelimit.fields(booked),
    }
    if body.format != "json":
        return Response(reply.images[0], headers=headers, media_type="image/png")
    answer = SamplesObject(
        generator=generator.id,
        concept=body.concept,
        prompt=body.prompt,
        forgotten=wanted.forgotten,
        seed=seed,
        images=[
            SampleImage(index=i, seed=seed + i, prompt=prompt, png_base64=base64.b64encode(image).decode())
            for i, (image, prompt) in enumerate(zip(reply.images, wanted.prompts or (None,) * body.n, strict=True))
        ],
    )
    return Response(answer.model_dump_json(), headers=headers, media_type="application/json")


async def _ask(use: Services, generator_id: str, request: dict[str, Any], images: int) -> SampleReply:
    """A sampler's answer of so many ``images``, waited for in a thread that answers nothing else.

    Raises:
        Problem: ``too_many`` where as many requests wait as may, or what the sampler says; also where its answer
            cannot be read.
        SampleTimeout: no sampler answered.
    """
    place = object()
    try:
        use.samplers.acquire_on_behalf_of_nowait(place)
    except WouldBlock:
        raise Problem("too_many", f"{use.samplers.total_tokens:.0f} requests for samples wait already") from None
    try:
        # A thread for this request alone: the place is what bounds how many there are.
        ask, timeout = use.broker.request_samples, use.settings.sample_timeout_seconds
        payload = await to_thread.run_sync(ask, generator_id, request, timeout, limiter=CapacityLimiter(1))
    finally:
        use.samplers.release_on_behalf_of(place)
    try:
        reply = decode(payload)
    except MalformedReply as error:
        log.error("sampler_reply_malformed", generator=generator_id, error=str(error))
        raise SampleTimeout("the sampler's answer cannot be read") from None
    if isinstance(reply, SampleFailure):
        log.warning("sampler_refused", generator=generator_id, code=reply.code, message=reply.message)
        known = reply.code in KINDS and KINDS[reply.code].status < 500
        raise Problem(reply.code if known else "samples_unavailable", reply.message if known else "sampling failed")
    if len(reply.images) != images:
        log.error("sampler_reply_incomplete", generator=generator_id, images=len(reply.images), expected=images)
        raise SampleTimeout("the sampler's answer is not whole")
    return reply
