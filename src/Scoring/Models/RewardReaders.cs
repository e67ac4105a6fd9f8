using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Takes scores [rows] where each row's last token is in the columns that were read.</summary>
internal sealed class LastScores(Func<float, int, Exception> notFinite, int[] lengths, double[] scores) : IPartReader
{
    public string Output => "scores";

    public IReadOnlyList<(string Name, OrtValue Value)> Inputs(in Part part) => [];

    public void Take(in Part part, ReadOnlySpan<float> values)
    {
        if (part.IsCommon) return; // every row ends behind what it shares
        for (int i = 0; i < part.Rows.Length; i++)
        {
            int row = part.Rows[i];
            if (lengths[row] > part.From + part.Width) continue;
            if (!float.IsFinite(values[i])) throw notFinite(values[i], row);
            scores[row] = values[i];
        }
    }
}

/// <summary>Takes token_scores [rows, columns]: the reward of each token, and of the row the last one or the mean.</summary>
internal sealed class TokenScores(Func<float, int, Exception> notFinite, int[] lengths, bool mean, double[] scores, float[]?[]? perToken) : IPartReader
{
    public string Output => "token_scores";

    public IReadOnlyList<(string Name, OrtValue Value)> Inputs(in Part part) => [];

    public void Take(in Part part, ReadOnlySpan<float> values)
    {
        for (int i = 0; i < part.Rows.Length; i++)
        {
            int row = part.Rows[i], length = lengths[row], count = Math.Min(length, part.From + part.Width) - part.From;
            ReadOnlySpan<float> own = values.Slice(part.IsCommon ? 0 : i * part.Width, count);
            double sum = 0;
            foreach (float value in own)
            {
                if (!float.IsFinite(value)) throw notFinite(value, row);
                sum += value;
            }

            if (mean) scores[row] += sum / length;
            else if (part.From + count == length) scores[row] = own[^1];
            if (perToken is not null) own.CopyTo((perToken[row] ??= new float[length]).AsSpan(part.From));
        }
    }
}
