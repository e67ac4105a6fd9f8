using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Scoring;

/// <summary>Asks for the log-probs of the response tokens that the columns of a call predict: the token at t is predicted at t − 1.</summary>
/// <param name="folder">For messages.</param>
/// <param name="tokens">[rows] prompt and response.</param>
/// <param name="prompts">[rows] tokens of the prompt.</param>
/// <param name="lengths">[rows] tokens that are read: all but the last.</param>
/// <param name="temperature">Log-probs are of softmax(logits / temperature).</param>
/// <param name="logProbs">[rows] written: [responseLength] nats each.</param>
internal sealed class LogProbReader(string folder, int[][] tokens, int[] prompts, int[] lengths, float temperature, float[][] logProbs) : IPartReader
{
    public string Output => "logprobs";

    public IReadOnlyList<(string Name, OrtValue Value)> Inputs(in Part part)
    {
        List<long> rows = [], targets = [];
        for (int i = 0; i < (part.IsCommon ? 0 : part.Rows.Length); i++)
        {
            (int from, int to) = Columns(part, i);
            for (int t = from; t < to; t++)
            {
                rows.Add(((long)i * part.Width) + t - part.From);
                targets.Add(tokens[part.Rows[i]][t + 1]);
            }
        }

        if (rows.Count == 0)
        {
            rows.Add(0); // the graph wants one; nobody reads it
            targets.Add(0);
        }

        return
        [
            ("rows", OrtValue.CreateTensorValueFromMemory(rows.ToArray(), [rows.Count])),
            ("targets", OrtValue.CreateTensorValueFromMemory(targets.ToArray(), [targets.Count])),
            ("temperature", OrtValue.CreateTensorValueFromMemory(new[] { temperature }, [])),
        ];
    }

    public void Take(in Part part, ReadOnlySpan<float> values)
    {
        if (part.IsCommon) return;
        int at = 0;
        for (int i = 0; i < part.Rows.Length; i++)
        {
            int row = part.Rows[i], first = prompts[row] - 1;
            (int from, int to) = Columns(part, i);
            float[] own = logProbs[row] ??= new float[lengths[row] - first];
            ReadOnlySpan<float> found = values.Slice(at, to - from);
            LogProbScorer.ThrowIfNotFinite(found, folder);
            if (to > from) found.CopyTo(own.AsSpan(from - first));
            at += to - from;
        }
    }

    /// <summary>Columns of the i-th row that predict a token of the response.</summary>
    private (int From, int To) Columns(in Part part, int i)
    {
        int row = part.Rows[i], from = Math.Max(part.From, prompts[row] - 1);
        return (from, Math.Max(from, Math.Min(part.From + part.Width, lengths[row])));
    }
}
