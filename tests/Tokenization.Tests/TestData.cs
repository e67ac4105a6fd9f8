using System.IO.Compression;
using System.Text.Json;
using NUnit.Framework;

namespace Rlhf.Tokenization.Tests;

/// <summary>Texts to try tokenizers on.</summary>
internal static class TestData
{
    /// <summary>The first reviews of the IMDb training file.</summary>
    public static List<string> Reviews(int count)
    {
        using FileStream file = File.OpenRead(Checkout.Shared("data/imdb/train.jsonl.gz"));
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using StreamReader reader = new(unzipped);
        List<string> reviews = [];
        while (reviews.Count < count && reader.ReadLine() is { } line)
        {
            using JsonDocument row = JsonDocument.Parse(line);
            reviews.Add(row.RootElement.GetProperty("text").GetString()!);
        }
        return reviews;
    }

    /// <summary>Whitespace, scripts, emoji and odd characters; each one a trap for a byte-level tokenizer.</summary>
    public static readonly string[] Awkward =
    [
        " ", "  ", "   a", "a   ", "a  b", "\n", "\n\n", "a\n\n\nb", "\t\ta\t b", " \n x", "x \n", "\r\nline\r\n", "\u00a0a\u00a0\u00a0b", "a\u3000b\u2003 c",
        "don't they'll we've I'm you're he'd it's 'S 'LL ''s 'x '", "'tis", "x'sy", "DON'T", "12345 67.89 ½ Ⅷ ２３ ²", "abc123def", "...!!! ?!", " ...", "<br /><br />",
        "naïve café résumé Ünïcödé", "Ελληνικά Русский עברית العربية", "日本語のテスト 中文 한국어", "नमस्ते दुनिया", "ไทย", "e\u0301 combining", "🙂", "a🙂b 👩‍👩‍👧‍👦 🇩🇪", "𝔘𝔫𝔦 𝟘𝟙",
        "\u200b\u200d\ufeff", "\ufffd", "\u0001\u001f\u007f\u0080\u0085", "ab\u001cc", " \u0085x", "\u2028\u2029", "a\u00adb", "_under_score_", "http://x.y/z?a=b&c=%20", "==========", "<|bos|", "bos|>",
        new string('a', 3000), new string(' ', 700), new string('=', 1001), string.Concat(Enumerable.Repeat("ha", 900)),
    ];
}
