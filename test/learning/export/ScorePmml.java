// Scores PMML files with PMML4S, and validates them where a schema is given: for pmml.test.ts, which says how to get both.
// Standard input has a line for each model: the path of the PMML file, a tab, its rows as JSON records. One line of JSON each
// comes out, or what was wrong after "!".

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import org.pmml4s.model.Model;

public class ScorePmml {
  public static void main(String[] args) throws Exception {
    Schema schema =
        args.length == 0
            ? null
            : SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(args[0]));
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var output = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] parts = line.split("\t", 2);
      try {
        if (schema != null) schema.newValidator().validate(new StreamSource(new File(parts[0])));
        output.println(Model.fromFile(parts[0]).predict(parts[1]));
      } catch (Exception error) {
        output.println("!" + String.valueOf(error).replaceAll("\\s+", " "));
      }
    }
  }
}
