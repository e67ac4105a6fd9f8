namespace Rlhf.Tokenization.Bpe;

/// <summary>A byte-level BPE vocabulary: special tokens first, then the 256 bytes in order, then one piece a merge in order of rank.</summary>
/// <param name="SpecialTokens">Tokens with ids from 0 that stand for themselves, as <c>&lt;|bos|&gt;</c>.</param>
/// <param name="Merges">Pairs of ids that become one piece; merge <c>r</c> makes the piece with id <c>SpecialTokens.Count + 256 + r</c>.</param>
public sealed record BpeModel(IReadOnlyList<string> SpecialTokens, IReadOnlyList<(int Left, int Right)> Merges)
{
    /// <summary>The special tokens of the tokenizers that this project trains; ids 0, 1 and 2.</summary>
    public static IReadOnlyList<string> StandardSpecialTokens { get; } = ["<|bos|>", "<|eos|>", "<|pad|>"];

    /// <summary>The id of byte 0.</summary>
    public int FirstByteId => SpecialTokens.Count;

    /// <summary>The id of the piece that merge 0 makes.</summary>
    public int FirstMergeId => SpecialTokens.Count + 256;

    /// <summary>Special tokens, bytes and merges.</summary>
    public int VocabularySize => FirstMergeId + Merges.Count;

    /// <summary>The bytes of every piece, by id; special tokens have none.</summary>
    public byte[][] PieceBytes()
    {
        byte[][] bytes = new byte[VocabularySize][];
        for (int id = 0; id < FirstByteId; id++)
            bytes[id] = [];
        for (int value = 0; value < 256; value++)
            bytes[FirstByteId + value] = [(byte)value];
        for (int rank = 0; rank < Merges.Count; rank++)
            bytes[FirstMergeId + rank] = [.. bytes[Merges[rank].Left], .. bytes[Merges[rank].Right]];
        return bytes;
    }
}
