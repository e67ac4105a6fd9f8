using System.Text;
using Rlhf.Core;
using Rlhf.Tokenization;

namespace Rlhf.Scoring;

/// <summary>A text whose tokens or steps are rewarded one by one: what the model reads, and where each reward belongs.</summary>
/// <param name="Tokens">What the model reads.</param>
/// <param name="Rewards">(token that is judged, index of the reward); tokens that were cut off are not among them.</param>
/// <param name="Count">Rewards of the row; those that no token gives are 0.</param>
internal sealed record DenseText(int[] Tokens, (int Read, int Place)[] Rewards, int Count);

/// <summary>
/// Finds the tokens that are judged. Rollouts carry token ids, which are read as they are: one reward for each response token, a step's at its last
/// one. In tables without token ids the response is encoded, and there is one reward for each of its tokens or steps.
/// </summary>
/// <param name="name">The reward, for messages.</param>
/// <param name="model">Its model.</param>
/// <param name="per">Token or step.</param>
/// <param name="delimiter">A step ends with this text, repeated or not; what stands behind the last one is a step too.</param>
/// <param name="responseOnly">True: the prompt is not read.</param>
internal sealed class DenseTexts(string name, RewardModel model, RewardPer per, string delimiter, bool responseOnly)
{
    public DenseText Of(in RuleInput row) => row.Tokens is { } tokens ? Rollout(row, tokens.Prompt, tokens.Response) : Text(row);

    private DenseText Rollout(in RuleInput row, int[] prompt, int[] response)
    {
        TokenIds.Check(row.Place, (prompt, response), model.VocabularySize, $"the reward model in {model.Folder}");
        if (model.Tokenizer.Decode(response) != row.Response)
        {
            throw new BadDataException(
                $"{row.Place}: the reward '{name}' is given per {per.ToString().ToLowerInvariant()}, but the response '{Excerpt.Of(row.Response)}' has token ids that the tokenizer in {model.Folder} reads as '{Excerpt.Of(model.Tokenizer.Decode(response))}'. " +
                "Rewards of single tokens need a reward model with the policy's tokenizer; use per: sequence, or a model on the policy's trunk.");
        }

        int count = response.Length;
        while (count > 0 && model.Tokenizer.IsSpecial(response[count - 1])) count--; // EOS is no part of the text that the model was trained on
        int[] judged = per == RewardPer.Token ? [.. Enumerable.Range(0, count)] : StepEnds(response.AsSpan(0, count));
        int[] before = responseOnly ? model.Tokenizer.EncodePrompt("") : prompt;
        return Cut([.. before, .. response.AsSpan(0, count)], before.Length, judged, judged, response.Length);
    }

    private DenseText Text(in RuleInput row)
    {
        List<int> tokens = [.. model.Tokenizer.EncodePrompt(responseOnly ? "" : row.Prompt)];
        int before = tokens.Count;
        List<int> judged = [];
        if (per == RewardPer.Token)
        {
            tokens.AddRange(model.Tokenizer.Encode(row.Response));
            judged.AddRange(Enumerable.Range(0, tokens.Count - before));
        }
        else
        {
            // Encoded one by one, as process rewards are trained.
            foreach (string step in Steps(row.Response))
            {
                tokens.AddRange(model.Tokenizer.Encode(step));
                judged.Add(tokens.Count - before - 1);
            }
        }

        return Cut([.. tokens], before, [.. judged], [.. Enumerable.Range(0, judged.Count)], judged.Count);
    }

    // Too long a text keeps its first token and its end, as everywhere; what is cut off has no reward.
    private DenseText Cut(int[] tokens, int before, int[] judged, int[] places, int count)
    {
        int[] read = RewardModel.Cut(tokens, model.MaxLength);
        int lost = tokens.Length - read.Length;
        return new DenseText(read, [.. judged.Select((t, i) => (before + t - lost, places[i])).Where(p => p.Item1 > (lost > 0 ? 0 : -1))], count);
    }

    /// <summary>Indices of the tokens in which a step ends.</summary>
    private int[] StepEnds(ReadOnlySpan<int> response)
    {
        var bytes = new List<byte>();
        int[] ends = new int[response.Length];
        for (int t = 0; t < response.Length; t++)
        {
            bytes.AddRange(model.Tokenizer.BytesOf(response[t]));
            ends[t] = bytes.Count;
        }

        var found = new List<int>();
        foreach (int end in Ends([.. bytes], Encoding.UTF8.GetBytes(delimiter)))
        {
            int token = Array.FindIndex(ends, e => e >= end);
            if (found.Count == 0 || found[^1] != token) found.Add(token);
        }

        return [.. found];
    }

    private List<string> Steps(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var steps = new List<string>();
        int from = 0;
        foreach (int end in Ends(bytes, Encoding.UTF8.GetBytes(delimiter)))
        {
            steps.Add(Encoding.UTF8.GetString(bytes.AsSpan(from, end - from)));
            from = end;
        }

        return steps;
    }

    /// <summary>Where steps end, in bytes: behind each run of delimiters, and at the end.</summary>
    internal static List<int> Ends(ReadOnlySpan<byte> text, ReadOnlySpan<byte> delimiter)
    {
        var ends = new List<int>();
        for (int at = 0; at < text.Length;)
        {
            int found = text[at..].IndexOf(delimiter);
            if (found < 0)
            {
                ends.Add(text.Length);
                break;
            }

            at += found + delimiter.Length;
            while (text[at..].StartsWith(delimiter)) at += delimiter.Length;
            if (found == 0 && ends.Count == 0) continue; // delimiters before the first step
            ends.Add(at);
        }

        return ends;
    }
}
