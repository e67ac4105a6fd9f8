using System.Text;

namespace Rlhf.Models;

/// <summary>Files that appear whole or not at all: written as <c>name.partial</c>, flushed to the disk, renamed.</summary>
internal static class WholeFiles
{
    public static void Write(string path, Action<Stream> body)
    {
        string partial = path + ".partial";
        using (var stream = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            body(stream);
            stream.Flush(flushToDisk: true);
        }

        File.Move(partial, path, overwrite: true);
    }

    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
