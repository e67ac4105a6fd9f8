using System.Text;
using System.Text.Json;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Tokenization.Tests;

/// <summary>Byte-level BPE as the paper says it, from the written tokenizer.json: join the neighbouring pair of lowest rank until none is left.</summary>
internal sealed class NaiveBpe
{
    private readonly Dictionary<string, int> _vocabulary = [];
    private readonly Dictionary<(string, string), int> _ranks = [];

    public NaiveBpe(string folder)
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")));
        JsonElement model = file.RootElement.GetProperty("model");
        foreach (JsonProperty piece in model.GetProperty("vocab").EnumerateObject())
            _vocabulary.Add(piece.Name, piece.Value.GetInt32());
        foreach (JsonElement merge in model.GetProperty("merges").EnumerateArray())
        {
            string[] pair = merge.GetString()!.Split(' ');
            _ranks.Add((pair[0], pair[1]), _ranks.Count);
        }
    }

    public int[] Encode(string text)
    {
        List<int> ids = [];
        for (int start = 0; start < text.Length;)
        {
            int end = WordSplitter.EndOfWord(text, start);
            ids.AddRange(EncodeWord(text[start..end]));
            start = end;
        }
        return [.. ids];
    }

    private IEnumerable<int> EncodeWord(string word)
    {
        List<string> pieces = [.. Encoding.UTF8.GetBytes(word).Select(value => ByteAlphabet.CharOf(value).ToString())];
        while (pieces.Count > 1)
        {
            int best = Enumerable.Range(0, pieces.Count - 1).MinBy(i => _ranks.GetValueOrDefault((pieces[i], pieces[i + 1]), int.MaxValue));
            if (!_ranks.ContainsKey((pieces[best], pieces[best + 1])))
                break;
            pieces[best] += pieces[best + 1];
            pieces.RemoveAt(best + 1);
        }
        return pieces.Select(piece => _vocabulary[piece]);
    }
}
