using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>Cuts, noises, masks and swaps the tokens of training texts, by address.</summary>
public static class RewardAugmentation
{
    // Draws of different kinds never share an address: three a token from here on.
    private const uint FirstTokenDraw = 16;

    /// <summary>
    /// The tokens that this step trains on: the text's end when it is too long (an evaluation), or a crop at an addressed place
    /// (training), with some tokens replaced, masked or swapped. The first token (BOS) always stays.
    /// </summary>
    /// <param name="tokens">The whole text.</param>
    /// <param name="config">Lengths and shares.</param>
    /// <param name="vocabularySize">Random tokens are below it.</param>
    /// <param name="training">False: nothing but the cut.</param>
    /// <param name="epoch">Part of the address.</param>
    /// <param name="row">Part of the address.</param>
    /// <param name="text">Part of the address: which text of the row.</param>
    /// <param name="maskToken">What a masked token becomes.</param>
    public static int[] Apply(int[] tokens, RewardModelConfig config, int vocabularySize, bool training, uint epoch, long row, uint text, int maskToken = 0)
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
        if (!training || config.TokenNoise + config.TokenMask + config.TokenSwap == 0) return cut;
        for (int i = 1; i < cut.Length; i++)
        {
            uint at = FirstTokenDraw + (3 * (uint)i);
            if (i + 1 < cut.Length && config.TokenSwap > 0 && U(at + 2) < config.TokenSwap) (cut[i], cut[i + 1]) = (cut[i + 1], cut[i]);
            if (config.TokenNoise + config.TokenMask == 0) continue;
            double draw = U(at);
            if (draw < config.TokenNoise) cut[i] = (int)(U(at + 1) * vocabularySize);
            else if (draw < config.TokenNoise + config.TokenMask) cut[i] = maskToken;
        }

        return cut;
    }
}
