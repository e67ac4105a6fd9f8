using Microsoft.ML.OnnxRuntimeGenAI;
using Rlhf.Core;

namespace Rlhf.Generation.GenAi;

/// <summary>
/// GenAI as it comes, with its own sampler and batching, to be compared with: batches of at most 32 right-padded prompts that run until the
/// last row ends. No addresses, no log-probs.
/// </summary>
public sealed class GenAiBaseline : IDisposable
{
    private readonly PolicyFolder _folder;
    private readonly Model _model;

    /// <param name="folder">The exported policy.</param>
    /// <param name="threads">Threads of GenAI's session; 0: as GenAI chooses.</param>
    public GenAiBaseline(PolicyFolder folder, int threads = 0) => (_folder, _model) = (folder, GenAiEngine.Open(folder, threads));

    /// <summary>Answers the prompts in the order given; returns each response's ids, end token included.</summary>
    public IReadOnlyList<int[]> Generate(IReadOnlyList<int[]> prompts, SamplingOptions options, int padToken = 0)
    {
        List<int[]> responses = [];
        int most = Math.Min(options.BatchSize, GenAiEngine.LargestBatch);
        for (int from = 0; from < prompts.Count; from += most) responses.AddRange(Batch([.. prompts.Skip(from).Take(most)], options, padToken));
        return responses;
    }

    public void Dispose() => _model.Dispose();

    private IEnumerable<int[]> Batch(int[][] prompts, SamplingOptions options, int padToken)
    {
        int longest = prompts.Max(p => p.Length);
        using GeneratorParams parameters = new(_model);
        parameters.SetSearchOption("batch_size", prompts.Length);
        parameters.SetSearchOption("do_sample", !options.Greedy);
        parameters.SetSearchOption("temperature", options.Temperature);
        parameters.SetSearchOption("top_k", options.TopK);
        parameters.SetSearchOption("top_p", options.TopP);
        parameters.SetSearchOption("random_seed", (int)(options.Seed % int.MaxValue));
        parameters.SetSearchOption("max_length", Math.Min(_folder.ContextLength, longest + options.MaxNewTokens));
        using Generator generator = new(_model, parameters);
        generator.AppendTokens([.. prompts.SelectMany(p => p.Concat(Enumerable.Repeat(padToken, longest - p.Length)))]);
        List<int>[] responses = [.. prompts.Select(_ => new List<int>())];
        bool[] ended = new bool[prompts.Length];
        while (!generator.IsDone())
        {
            generator.GenerateNextToken();
            ReadOnlySpan<int> next = generator.GetNextTokens();
            for (int i = 0; i < prompts.Length; i++)
            {
                if (ended[i] || responses[i].Count == options.MaxNewTokens) continue;
                responses[i].Add(next[i]);
                ended[i] = _folder.EndTokens.Contains(next[i]);
            }
        }

        return responses.Select(r => r.ToArray());
    }
}
