using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>One training example of a reward model.</summary>
/// <param name="Texts">Tokens of one text (binary, regression), of chosen and rejected (pairwise), or of K answers, best first.</param>
/// <param name="Label">Label 0/1 or score; unused for comparisons.</param>
/// <param name="Row">Row in the data, for messages and hold-out.</param>
public sealed record RewardExample(int[][] Texts, double Label, long Row);

/// <summary>Cuts and noises training texts, by address.</summary>
public static class RewardAugmentation
{
    /// <summary>
    /// The tokens that this step trains on: the text's end when it is too long (an evaluation), or a crop at an addressed place
    /// (training), with some tokens replaced. The first token (BOS) always stays.
    /// </summary>
    public static int[] Apply(int[] tokens, RewardModelConfig config, int vocabularySize, bool training, uint epoch, long row, uint text)
    {
        uint address = unchecked((uint)((row * 31) + text));
        double U(uint c) => AddressedRandom.Uniform(config.Seed, AddressedRandom.Stream.Augmentation, epoch, address, c);
        int body = tokens.Length - 1, length = Math.Min(body, config.MaxLength - 1), start = body - length;
        if (training)
        {
            if (config.CropMin > 0 && body > config.CropMin && U(0) < config.CropShare)
            {
                // Log-uniform lengths: as many crops between 16 and 32 tokens as between 128 and 256.
                double low = Math.Log(config.CropMin), high = Math.Log(length);
                length = Math.Clamp((int)Math.Exp(low + ((high - low) * U(1))), 1, length);
            }

            start = (int)(U(2) * (body - length + 1));
        }

        int[] cut = new int[length + 1];
        cut[0] = tokens[0];
        tokens.AsSpan(1 + start, length).CopyTo(cut.AsSpan(1));
        if (training && config.TokenNoise > 0)
        {
            for (int i = 1; i < cut.Length; i++)
            {
                if (U((uint)(2 * i) + 16) < config.TokenNoise) cut[i] = (int)(U((uint)(2 * i) + 17) * vocabularySize);
            }
        }

        return cut;
    }
}
