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
    private OrtPolicy _policy;
    private string _graphHash;
    private Task<string> _hash, _settings;
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
        _graphHash = HashOfGraph(folder);
        (_hash, _settings) = (Task.Run(folder.Hash), HashOfSettings(folder));
    }

    public string Name => "ort";

    public string PolicyHash => _hash.GetAwaiter().GetResult();

    public string SettingsHash => _settings.GetAwaiter().GetResult();

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
        ThrowIfGenerating();
        WeightInputs taken = _policy.Weights
            ?? throw new EngineException($"{_folder.FastGraph} has its weights inside and takes none from memory. Export the policy again: rlhf-optimize export writes a rollout.onnx that does.");
        taken.Update(weights);
        _hash = policyHash;
    }

    public void Reopen(PolicyFolder folder)
    {
        ThrowIfGenerating();
        if (_policy.Weights is { } weights && HashOfGraph(folder) == _graphHash)
        {
            // The same graph: only the weights are other ones.
            weights.Load(folder.Data);
        }
        else
        {
            OrtPolicy policy = OrtSessionFactory.Open(folder, _options);
            _workspace?.Dispose();
            _policy.Dispose();
            (_policy, _workspace) = (policy, null);
            _graphHash = HashOfGraph(folder);
        }

        (_folder, _hash, _settings) = (folder, Task.Run(folder.Hash), HashOfSettings(folder));
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
        options.Check(_folder);
        using PromptQueue queue = new([prompt], _codec, _folder, 1);
        return BeamSearch(queue.Peek()!, options, cancellation);
    }

    /// <summary>The best hypotheses of beam search for every prompt, as rows: sample_id is the rank.</summary>
    public IEnumerable<Rollout> GenerateBeams(IEnumerable<Prompt> prompts, BeamSearchOptions options, int iteration = 0, CancellationToken cancellation = default)
    {
        options.Check(_folder);
        using PromptQueue queue = new(prompts, _codec, _folder, 1);
        while (queue.Peek() is { } prompt)
        {
            queue.Take();
            IReadOnlyList<BeamHypothesis> found = BeamSearch(prompt, options, cancellation);
            for (int rank = 0; rank < options.Returned; rank++) yield return found[rank].ToRollout(prompt, rank, iteration, Name, PolicyHash, _codec);
        }
    }

    /// <inheritdoc cref="BareSteps"/>
    /// <param name="rows">Rows decoded at once.</param>
    /// <param name="promptTokens">Tokens in the cache at the start.</param>
    /// <param name="newTokens">Tokens a row: the first comes with the prompt, each other one from a step.</param>
    /// <returns>Seconds of the prompts and of all steps.</returns>
    public (double PrefillSeconds, double StepSeconds) MeasureBareSteps(int rows, int promptTokens, int newTokens)
    {
        ThrowIfGenerating();
        return BareSteps.Measure(Workspace(new SamplingOptions { BatchSize = rows, MaxNewTokens = newTokens }, promptTokens), _folder.VocabularySize, promptTokens, newTokens);
    }

    private IReadOnlyList<BeamHypothesis> BeamSearch(PreparedPrompt prompt, BeamSearchOptions options, CancellationToken cancellation)
    {
        if (_policy.Samples) throw new EngineException("Beam search needs the logits, which do not leave the device. Use --device cpu.");
        ThrowIfGenerating();
        OrtWorkspace work = Workspace(new SamplingOptions { BatchSize = options.Beams, MaxNewTokens = options.MaxNewTokens }, prompt.Tokens.Length);
        return OrtBeamSearch.Run(work, prompt, options, _folder, cancellation);
    }

    private IEnumerable<Rollout> Run(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation)
    {
        ThrowIfGenerating();
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

    /// <summary>Tells whether another folder's graph is the same; empty where that matters not, for the weights are inside and it may be large.</summary>
    private string HashOfGraph(PolicyFolder folder) => _policy.Weights is null ? "" : Sha256.OfFile(folder.GraphFor(_options.DrawsInGraph));

    private Task<string> HashOfSettings(PolicyFolder folder) => Task.Run(() => folder.SettingsHash(folder.GraphFor(_options.DrawsInGraph)));

    private void ThrowIfGenerating()
    {
        if (_generating) throw new InvalidOperationException("The engine draws responses at the moment; read them to the end or leave the enumeration first.");
    }

    /// <summary>Slots for the batch and for the longest prompt with its response; kept from call to call while they suffice.</summary>
    private OrtWorkspace Workspace(SamplingOptions options, int longestPrompt)
    {
        int capacity = OrtWorkspace.CapacityFor(_folder, longestPrompt, options.MaxNewTokens);
        if (_workspace is { } kept && kept.Rows == options.BatchSize && kept.Capacity >= capacity) return kept;
        _workspace?.Dispose();
        _workspace = null; // also where there is no memory for the next one
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
