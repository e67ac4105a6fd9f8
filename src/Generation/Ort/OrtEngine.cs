using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Generation.Beams;
using Rlhf.Generation.Sampling;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Rollouts by ONNX Runtime with continuous batching: rows of any length decode together, a finished row leaves at once, the next sample
/// takes its slot, and the samples of a prompt share one prefill. The schedule depends on the prompts and options alone, never on time.
/// </summary>
public sealed class OrtEngine : IRolloutEngine
{
    private PolicyFolder _folder;
    private readonly OrtEngineOptions _options;
    private readonly ITextCodec? _codec;
    private readonly bool _ownsCodec;
    private PolicySession _policy;
    private byte[] _graph;
    private Task<string> _hash;
    private OrtWorkspace? _workspace;
    private bool _generating;

    /// <param name="folder">The exported policy.</param>
    /// <param name="codec">The policy's tokenizer; null when prompts come as tokens and no text is wanted.</param>
    /// <param name="options">Threads and memory.</param>
    /// <param name="ownsCodec">True: the codec is disposed with the engine.</param>
    public OrtEngine(PolicyFolder folder, ITextCodec? codec, OrtEngineOptions? options = null, bool ownsCodec = false)
    {
        (_folder, _codec, _options, _ownsCodec) = (folder, codec, options ?? new OrtEngineOptions(), ownsCodec);
        _policy = OrtSessionFactory.Open(folder, _options);
        _graph = File.ReadAllBytes(folder.GraphFor(_options.DrawsInGraph));
        _hash = Task.Run(folder.Hash);
    }

    public string Name => "ort";

    public string PolicyHash => _hash.GetAwaiter().GetResult();

    /// <summary>What the last call of <see cref="Generate"/> did; complete when it has been read to the end.</summary>
    public GenerationCounts Counts { get; private set; } = new();

    public IEnumerable<Rollout> Generate(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation = default)
    {
        SamplingChecks.Check(options, _folder.VocabularySize);
        if (options.StopStrings.Count > 0 && _codec is null) throw new ConfigurationException("stop strings need the policy's tokenizer, and the engine was opened without one.");
        if (_policy.Samples && options is not { TopK: 0, TopP: 1, MinP: 0, RepetitionPenalty: 1, MinNewTokens: 0, ForbiddenTokens.Count: 0 })
        {
            throw new ConfigurationException(
                "top_k, top_p, min_p, repetition_penalty, min_new_tokens and forbidden tokens need the logits, which do not leave the device when tokens are drawn there. Leave them out, or use --device cpu.");
        }

        return Run(prompts, options, cancellation);
    }

    public bool TakesWeights => _policy.Weights is not null;

    public void UpdateWeights(IReadOnlyList<WeightTensor> weights, Task<string> policyHash)
    {
        if (_generating) throw new InvalidOperationException("Weights cannot change while responses are being drawn; finish or leave the enumeration first.");
        WeightInputs taken = _policy.Weights
            ?? throw new EngineException($"{_folder.FastGraph} has its weights inside and takes none from memory. Export the policy again: rlhf-optimize export writes a rollout.onnx that does.");
        taken.Update(weights);
        _hash = policyHash;
    }

    public void Reopen(PolicyFolder folder)
    {
        if (_generating) throw new InvalidOperationException("Weights cannot change while responses are being drawn; finish or leave the enumeration first.");
        byte[] graph = File.ReadAllBytes(folder.GraphFor(_options.DrawsInGraph));
        if (_policy.Weights is { } weights && graph.AsSpan().SequenceEqual(_graph))
        {
            // The same graph: only the weights are other ones.
            weights.Load(folder.Data);
        }
        else
        {
            PolicySession policy = OrtSessionFactory.Open(folder, _options);
            _workspace?.Dispose();
            _policy.Dispose();
            (_policy, _graph, _workspace) = (policy, graph, null);
        }

        (_folder, _hash) = (folder, Task.Run(folder.Hash));
    }

    public void Dispose()
    {
        _workspace?.Dispose();
        _policy.Dispose();
        if (_ownsCodec) _codec?.Dispose();
    }

    /// <summary>Beam search from one prompt, deterministic; the sequences GenAI's own beam search finds.</summary>
    /// <param name="prompt">Its tokens, or its text where the engine has the tokenizer.</param>
    /// <param name="options">Beams, length penalty and most new tokens.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>As many hypotheses as beams, best first.</returns>
    public IReadOnlyList<BeamHypothesis> BeamSearch(Prompt prompt, BeamSearchOptions options, CancellationToken cancellation = default)
    {
        options.Check();
        if (_policy.Samples) throw new EngineException("Beam search needs the logits, which do not leave the device. Use --device cpu.");
        if (_generating) throw new InvalidOperationException("The engine draws responses at the moment.");
        using PromptQueue queue = new([prompt], _codec, _folder, 1);
        PreparedPrompt prepared = queue.Peek()!;
        int beams = options.Beams, length = prepared.Tokens.Length, room = Math.Min(options.MaxNewTokens, _folder.ContextLength - length);
        OrtWorkspace work = Workspace(new SamplingOptions { BatchSize = beams, MaxNewTokens = options.MaxNewTokens }, length);
        bool[] isEnd = new bool[_folder.VocabularySize];
        foreach (int token in _folder.EndTokens.Where(t => t >= 0 && t < isEnd.Length)) isEnd[token] = true;
        BeamState state = new(options, length, isEnd);
        try
        {
            work.Prefill.Run([prepared]);
            for (int beam = 0; beam < beams; beam++) work.Cache.Copy(work.Staging, beam, length);
            state.Offer(0, work.Prefill.Logits(0));
            state.Advance();
            for (int drawn = 1; drawn < room && !state.Done; drawn++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (drawn > 1) Reorder(work, state.Parents, length + drawn - 1);
                for (int beam = 0; beam < beams; beam++) work.Batch.Set(beam, state.Responses[beam][^1], length + drawn);
                work.Batch.Run(beams);
                for (int beam = 0; beam < beams; beam++) state.Offer(beam, work.Batch.Logits(beam));
                state.Advance();
            }
        }
        catch (OnnxRuntimeException e)
        {
            throw new EngineException($"ONNX Runtime failed during beam search: {e.Message}", e);
        }

        return state.Finish();
    }

    /// <summary>
    /// The best hypotheses of beam search for every prompt, as rows: sample_id is the rank, rollout_logprobs are 0 as for greedy (nothing is
    /// drawn), policy_logprobs those of the policy at temperature 1.
    /// </summary>
    public IEnumerable<Rollout> GenerateBeams(IEnumerable<Prompt> prompts, BeamSearchOptions options, int iteration = 0, CancellationToken cancellation = default)
    {
        options.Check();
        foreach (Prompt prompt in prompts)
        {
            int[] tokens = prompt.Tokens ?? _codec?.Encode(prompt.Text) ?? throw new BadDataException($"Prompt '{prompt.Id}' has text but no tokens, and the engine was opened without a tokenizer.");
            IReadOnlyList<BeamHypothesis> found = BeamSearch(prompt with { Tokens = tokens }, options, cancellation);
            for (int rank = 0; rank < options.Returned; rank++)
            {
                BeamHypothesis best = found[rank];
                int[] response = best.EndToken is int end ? [.. best.Tokens, end] : best.Tokens;
                yield return new Rollout
                {
                    Iteration = iteration,
                    PromptId = prompt.Id,
                    SampleId = rank,
                    Prompt = prompt.Text,
                    Response = _codec?.Decode(response) ?? "",
                    PromptTokens = tokens,
                    ResponseTokens = response,
                    FinishReason = best.EndToken is null ? FinishReason.Length : FinishReason.Eos,
                    RolloutLogprobs = new float[response.Length],
                    PolicyLogprobs = best.Logprobs,
                    PolicyHash = PolicyHash,
                    Engine = Name,
                    Seed = 0,
                    Temperature = 1,
                    TopK = 0,
                    TopP = 1,
                    Metadata = prompt.Metadata,
                };
            }
        }
    }

    /// <summary>Gives each beam the cache of the beam it came from, by way of the staging slots.</summary>
    private static void Reorder(OrtWorkspace work, int[] parents, int tokens)
    {
        for (int beam = 0; beam < parents.Length; beam++)
        {
            if (parents[beam] != beam) work.Cache.Copy(parents[beam], work.Staging + beam, tokens);
        }

        for (int beam = 0; beam < parents.Length; beam++)
        {
            if (parents[beam] != beam) work.Cache.Copy(work.Staging + beam, beam, tokens);
        }
    }

    /// <summary>
    /// The bound of any engine on this model: the same session, slots and bindings, but no scheduling and no sampling; every row is given
    /// the same token again and again. For benchmarks.
    /// </summary>
    /// <param name="rows">Rows decoded at once.</param>
    /// <param name="promptTokens">Tokens in the cache at the start.</param>
    /// <param name="newTokens">Tokens a row: the first comes with the prompt, each other one from a step.</param>
    /// <returns>Seconds of the prompts and of all steps.</returns>
    public (double PrefillSeconds, double StepSeconds) MeasureBareSteps(int rows, int promptTokens, int newTokens)
    {
        if (_generating) throw new InvalidOperationException("The engine draws responses at the moment.");
        OrtWorkspace work = Workspace(new SamplingOptions { BatchSize = rows, MaxNewTokens = newTokens }, promptTokens);
        int[] tokens = new int[promptTokens];
        for (int i = 0; i < tokens.Length; i++) tokens[i] = i % _folder.VocabularySize;
        PreparedPrompt prompt = new(0, new Prompt { Id = "bare", Text = "" }, 0, tokens);
        long start = Stopwatch.GetTimestamp();
        for (int slot = 0; slot < rows;)
        {
            List<PreparedPrompt> staged = [];
            while (slot + staged.Count < rows && work.Prefill.Fits(staged.Count, promptTokens)) staged.Add(prompt);
            work.Prefill.Run(staged);
            for (int i = 0; i < staged.Count; i++) work.Cache.Copy(work.Staging + i, slot++, promptTokens);
        }

        double prefill = Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        for (int step = 1; step < newTokens; step++)
        {
            for (int slot = 0; slot < rows; slot++) work.Batch.Set(slot, 1, promptTokens + step);
            work.Batch.Run(rows);
        }

        return (prefill, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private IEnumerable<Rollout> Run(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation)
    {
        if (_generating) throw new InvalidOperationException("The engine draws other responses at the moment; read them to the end or leave the enumeration first.");
        _generating = true;
        try
        {
            using PromptQueue queue = new(prompts, _codec, _folder, _options.PromptWindow);
            if (queue.Peek() is null) yield break;
            OrtWorkspace workspace = Workspace(options, queue.LongestWaiting);
            OrderedOutput<Row> output = new();
            OrtScheduler scheduler = new(_folder, workspace, options, queue, _codec, output, _options);
            Counts = scheduler.Counts;
            while (scheduler.Step(cancellation))
            {
                while (output.TryTake(out Row? row)) yield return row.ToRollout(options, Name, PolicyHash, _codec);
                workspace = Grow(scheduler, options, queue, workspace);
            }

            while (output.TryTake(out Row? row)) yield return row.ToRollout(options, Name, PolicyHash, _codec);
        }
        finally
        {
            _generating = false;
        }
    }

    /// <summary>Slots for the batch and for the longest prompt with its response; kept from call to call while they suffice.</summary>
    private OrtWorkspace Workspace(SamplingOptions options, int longestPrompt)
    {
        int capacity = OrtWorkspace.CapacityFor(_folder, longestPrompt, options.MaxNewTokens);
        if (_workspace is { } kept && kept.Rows == options.BatchSize && kept.Capacity >= capacity) return kept;
        _workspace?.Dispose();
        return _workspace = new OrtWorkspace(_policy, options.BatchSize, capacity, _options);
    }

    /// <summary>A later window may hold longer prompts: a larger workspace takes over the rows in work.</summary>
    private OrtWorkspace Grow(OrtScheduler scheduler, SamplingOptions options, PromptQueue queue, OrtWorkspace workspace)
    {
        int capacity = OrtWorkspace.CapacityFor(_folder, queue.LongestWaiting, options.MaxNewTokens);
        if (capacity <= workspace.Capacity) return workspace;
        OrtWorkspace larger = new(_policy, workspace.Rows, capacity, _options);
        scheduler.MoveTo(larger);
        _workspace = larger;
        workspace.Dispose();
        return larger;
    }
}
